// One container. It lives on when this object goes: the warden may crash and adopt it again.
#pragma once

#include <memory>
#include <string>

#include "sandbox/agent.h"
#include "sandbox/docker_process.h"

namespace sandtrap::sandbox {

class DockerSandbox final : public Sandbox {
 public:
  DockerSandbox(std::shared_ptr<DockerContext> context, std::string id, DockerTarget target);

  const std::string& id() const override { return id_; }
  // Of a sandbox that nobody else has been in; without it every program is an exec.
  Task<void> attach_agent();

  Task<base::Result<std::unique_ptr<Process>>> exec(const ProcessSpec& spec) override;
  Task<base::Status> verify() override;
  Task<base::Status> mark_claimed(const Label& label) override;
  Task<base::Status> freeze() override;
  Task<base::Status> thaw() override;
  Task<base::Result<std::uint64_t>> memory() override;
  Task<base::Result<Preserved>> preserve(const Label& label) override;
  Task<void> destroy() override;

 private:
  std::shared_ptr<DockerContext> context_;
  std::string id_;
  DockerTarget target_;
  std::shared_ptr<Agent> agent_;  // shared with the start in flight; null: none
};

// Asks the engine for the container's process and looks whether it is the same one here.
Task<base::Result<DockerTarget>> locate_docker_container(DockerContext& context,
                                                         std::string container);

// 12 hexadecimal digits.
bool is_docker_sandbox_id(std::string_view id);

Task<base::Status> remove_docker_container(DockerContext& context, std::string container);

}  // namespace sandtrap::sandbox
