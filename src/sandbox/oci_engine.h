// The embedded engine: drives runc (or crun) directly, with no daemon. One user namespace, one
// overlay over the shared guest image and one loop-mounted ext4 disk per sandbox; no mount on the
// host. Everything a sandbox leaves lies in three places: <data_dir>/sandboxes/<id>, below
// <run_dir>/oci, and the control group /st-<instance>/<id>. docs/sandbox.md is its description.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/log.h"
#include "sandbox/engine.h"

namespace sandtrap::sandbox {

struct OciOptions {
  std::string runtime;              // path or name; empty: runc, else crun
  std::string image;                // empty: find_oci_image()'s places
  std::vector<std::string> images;  // others that sandboxes may ask for (Limits::image)
  std::string data_dir, run_dir;    // run_dir: short, private, lost at a reboot
  std::uint32_t userns_base = 200000, userns_size = 65536;
  std::uint64_t disk_bytes = 1ULL << 30;  // of the disk that prepare() makes ready
  std::chrono::milliseconds start_timeout{30000}, verify_timeout{10000}, agent_timeout{1000};
};

class Child;
struct OciShared;

class OciEngine final : public Engine {
 public:
  OciEngine(OciOptions options, boost::asio::io_context& io, base::Log& log);
  ~OciEngine() override;
  OciEngine(const OciEngine&) = delete;
  OciEngine& operator=(const OciEngine&) = delete;

  Task<base::Result<Capabilities>> prepare() override;
  Task<base::Result<std::unique_ptr<Sandbox>>> create(std::string id, Limits limits) override;
  Task<base::Result<Leftover>> restore(std::string reference, std::string id,
                                       Limits limits) override;
  Task<std::vector<Leftover>> recover() override;
  Task<base::Status> remove_preserved(const std::string& reference) override;

 private:
  Task<base::Status> template_disk(std::uint64_t bytes);
  enum class Disk { kFresh, kOwn };
  struct Started {
    std::shared_ptr<Child> init;
    base::Fd agent;  // our end of its socket
  };
  Task<base::Result<Started>> start(std::string id, Limits limits, Disk disk);
  Task<std::optional<Leftover>> recover_one(std::string id, pid_t pid);

  std::shared_ptr<OciShared> shared_;  // shared with sandboxes, which may outlive the engine
};

}  // namespace sandtrap::sandbox
