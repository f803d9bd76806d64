// DockerEngine: sandboxes as containers of a Docker Engine, driven through its API on a unix socket
// (1.41 or later, no client program). What it can and cannot do: docs/docker.md. The engine may be
// restarted under us: calls fail with kUnavailable meanwhile and work again after it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "sandbox/engine.h"

namespace sandtrap::sandbox {

struct DockerOptions {
  std::string socket = "/var/run/docker.sock";
  std::string image = "sandtrap-guest:debian-12";
  std::string runtime;   // empty: the daemon's default
  std::string data_dir;  // sandboxes/<id>/label.json and preserved/<id>/sandbox.json go below it
  // Tells our containers from those of another SandTrap on the same engine. Empty: from data_dir.
  std::string instance;
  // Where the default image is imported from when the engine does not have it; first that exists.
  std::vector<std::string> image_archives = default_archives();
  std::chrono::milliseconds start_timeout{30000}, exec_timeout{15000}, verify_timeout{10000};
  std::chrono::milliseconds agent_timeout{1000};

  static std::vector<std::string> default_archives();
};

inline constexpr const char* kDockerDefaultImage = "sandtrap-guest:debian-12";
// What is preserved is a stopped container "sandtrap-preserved-<id>"; earlier versions made an
// image "sandtrap-preserved:<id>" of it.
inline constexpr const char* kDockerPreserved = "sandtrap-preserved";

struct DockerContext;

class DockerEngine final : public Engine {
 public:
  DockerEngine(DockerOptions options, boost::asio::any_io_executor executor, base::Log& log);
  ~DockerEngine() override;
  DockerEngine(const DockerEngine&) = delete;
  DockerEngine& operator=(const DockerEngine&) = delete;

  Task<base::Result<Capabilities>> prepare() override;
  Task<base::Result<std::unique_ptr<Sandbox>>> create(std::string id, Limits limits) override;
  Task<base::Result<Leftover>> restore(std::string reference, std::string id,
                                       Limits limits) override;
  Task<std::vector<Leftover>> recover() override;
  // A container's name as preserve() gave it, an image name as an earlier version did, or the path
  // of its folder.
  Task<base::Status> remove_preserved(const std::string& reference) override;

 private:
  std::shared_ptr<DockerContext> context_;  // shared with the sandboxes: they may outlive us
};

}  // namespace sandtrap::sandbox
