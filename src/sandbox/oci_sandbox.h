// One sandbox of the embedded engine, and what all of them share.
#pragma once

#include <memory>
#include <string>

#include "base/log.h"
#include "sandbox/agent.h"
#include "sandbox/child.h"
#include "sandbox/engine.h"
#include "sandbox/label_writer.h"
#include "sandbox/oci_engine.h"
#include "sandbox/oci_freezer.h"
#include "sandbox/oci_host.h"
#include "sandbox/oci_runtime.h"

namespace sandtrap::sandbox {

struct OciShared {
  OciShared(OciOptions o, boost::asio::io_context& io, base::Log& l);

  std::string directory(const std::string& id) const { return sandboxes + "/" + id; }
  std::string disk(const std::string& id) const { return directory(id) + "/disk.ext4"; }
  std::string label(const std::string& id) const { return directory(id) + "/label.json"; }
  std::string bundle(const std::string& id) const { return bundles + "/" + id; }
  std::string template_disk(std::uint64_t bytes) const;
  OciFreezer freezer(const std::string& id) const {
    return OciFreezer(host.cgroups, cgroups + "/" + id);
  }

  OciOptions options;
  base::Log& log;
  std::string sandboxes, preserved, bundles, state, scratch, cgroups;
  Children children;
  HostFacts host;
  LabelWriter labels;
  std::unique_ptr<OciRuntime> runtime;  // from prepare() on
};

// 12 hexadecimal digits: the only names we ever make, or remove, a directory for.
bool valid_sandbox_id(std::string_view id);

class OciSandbox final : public Sandbox {
 public:
  // `agent_socket`: empty for a sandbox of an earlier warden; it gets another agent.
  OciSandbox(std::shared_ptr<OciShared> shared, std::string id, std::shared_ptr<Child> init,
             base::Fd agent_socket);
  OciSandbox(const OciSandbox&) = delete;
  OciSandbox& operator=(const OciSandbox&) = delete;

  const std::string& id() const override { return id_; }
  Task<base::Result<std::unique_ptr<Process>>> exec(const ProcessSpec& spec) override;
  Task<base::Status> verify() override;
  Task<base::Status> mark_claimed(const Label& label) override;
  Task<base::Status> freeze() override;
  Task<base::Status> thaw() override;
  Task<base::Result<std::uint64_t>> memory() override;
  Task<base::Result<Preserved>> preserve(const Label& label) override;
  Task<void> destroy() override;

 private:
  base::Result<std::string> process_for(const ProcessSpec& spec) const;
  void attach_agent(base::Fd socket);
  Task<void> start_agent();
  Task<base::Result<std::unique_ptr<Process>>> exec_by_engine(const ProcessSpec& spec);

  std::shared_ptr<OciShared> shared_;  // outlives the engine where a test lets it
  std::string id_;
  std::string config_;            // its bundle's config.json
  std::shared_ptr<Child> init_;   // shared with the wait in flight; null: not running
  std::shared_ptr<Agent> agent_;  // shared with the start in flight; null: none
  bool had_agent_ = false;
};

// The steps below also serve recovery, which has no OciSandbox.
// Ends every process, then removes the container, its bundle and its control groups.
Task<void> stop_container(std::shared_ptr<OciShared> shared, std::string id,
                          std::shared_ptr<Child> init);
Task<void> destroy_container(std::shared_ptr<OciShared> shared, std::string id,
                             std::shared_ptr<Child> init);
Task<base::Result<Preserved>> preserve_container(std::shared_ptr<OciShared> shared, std::string id,
                                                 std::shared_ptr<Child> init, Label label);

}  // namespace sandtrap::sandbox
