// FakeEngine: for tests only. It runs the attacker's shell as a plain process ON THIS HOST, in a
// temporary directory, as a throw-away user: NOTHING IS ISOLATED. prepare() says so loudly. What it
// keeps true of a real engine: descriptors, terminals, exit statuses and signals, labels on disk
// that survive a crash, and creation that takes time or fails as the test wants it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "sandbox/engine.h"

namespace sandtrap::sandbox {

struct FakeOptions {
  std::string root = "/tmp/sandtrap-fake";  // one directory per sandbox below it
  std::string preserved;                    // default <root>/preserved
  uid_t uid = 61899;                        // and gid; ignored when we are not root
  std::string shell;                        // default /bin/bash, else /bin/sh
  // Decides account checks: the exit status of this script is the answer (as the guest's), which
  // gets the password or the key on its input and $USER. Empty: no account is the sandbox's own.
  std::function<std::string()> account_script;
  std::string sftp_server = "/usr/lib/openssh/sftp-server";
  std::chrono::milliseconds create_delay{0}, verify_delay{0}, exec_delay{0};
  std::string missing_image;        // sandboxes of it cannot be created
  std::uint64_t memory = 4U << 20;  // what memory() says
  // Asked with the number of the attempt (from 1); true: this one fails.
  std::function<bool(unsigned)> create_fails, verify_fails, exec_fails;
  std::function<bool(unsigned)> freeze_fails, thaw_fails, preserve_fails, restore_fails;
};

struct FakeCounts {  // what happened so far
  unsigned creates = 0, verifies = 0, execs = 0;
  unsigned freezes = 0, thaws = 0, preserves = 0, restores = 0;
  unsigned created = 0, destroyed = 0, preserved = 0, restored = 0;
  unsigned creating_now = 0, creating_most = 0;  // to check the bound of parallel refills
};

class FakeEngine final : public Engine {
 public:
  FakeEngine(FakeOptions options, base::Log& log);
  ~FakeEngine() override;
  FakeEngine(const FakeEngine&) = delete;
  FakeEngine& operator=(const FakeEngine&) = delete;

  Task<base::Result<Capabilities>> prepare() override;
  Task<base::Result<std::unique_ptr<Sandbox>>> create(std::string id, Limits limits) override;
  Task<base::Result<Leftover>> restore(std::string reference, std::string id,
                                       Limits limits) override;
  Task<std::vector<Leftover>> recover() override;
  Task<base::Status> remove_preserved(const std::string& reference) override;

  const FakeCounts& counts() const;

  struct Shared;  // sandboxes may outlive the engine in a test: they share its options and counts

 private:
  std::shared_ptr<Shared> shared_;
};

}  // namespace sandtrap::sandbox
