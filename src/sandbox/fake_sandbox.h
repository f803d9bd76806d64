// FakeEngine's sandbox: a directory, and the processes of this host that carry its mark.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "sandbox/fake_engine.h"
#include "sandbox/fake_process.h"

namespace sandtrap::sandbox {

struct FakeEngine::Shared {
  FakeOptions options;
  base::Log& log;
  FakeCounts counts;
  std::shared_ptr<Graveyard> graveyard = std::make_shared<Graveyard>();
};

Task<void> fake_pause(std::chrono::milliseconds time);
bool asked_to_fail(const std::function<bool(unsigned)>& decision, unsigned attempt);

class FakeSandbox final : public Sandbox {
 public:
  FakeSandbox(std::shared_ptr<FakeEngine::Shared> shared, std::string id);

  const std::string& id() const override { return id_; }
  Task<base::Result<std::unique_ptr<Process>>> exec(const ProcessSpec& given) override;
  Task<base::Status> verify() override;
  Task<base::Status> mark_claimed(const Label& label) override;
  Task<base::Status> freeze() override;
  Task<base::Status> thaw() override;
  Task<base::Result<std::uint64_t>> memory() override { co_return shared_->options.memory; }
  Task<base::Result<Preserved>> preserve(const Label& given) override;
  Task<void> destroy() override;

 private:
  // Beside the sandbox, not in it: the process inside owns its own directory.
  std::string state_directory() const { return shared_->options.root + "/state/" + id_; }
  std::string account_script() const;
  FakeLaunch launch_for(const ProcessSpec& spec) const;

  std::shared_ptr<FakeEngine::Shared> shared_;
  std::string id_;
  std::string directory_;
};

}  // namespace sandtrap::sandbox
