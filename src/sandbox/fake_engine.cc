#include "sandbox/fake_engine.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "net/task.h"
#include "sandbox/fake_process.h"
#include "sandbox/label.h"

namespace sandtrap::sandbox {
namespace fs = std::filesystem;

struct FakeEngine::Shared {
  FakeOptions options;
  base::Log& log;
  FakeCounts counts;
  std::shared_ptr<Graveyard> graveyard = std::make_shared<Graveyard>();
};

namespace {

constexpr const char* kMark = "SANDTRAP_FAKE_SANDBOX=";  // in every environment: finds the strays

Task<void> pause(std::chrono::milliseconds time) {
  if (time.count() <= 0) co_return;
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, time);
  co_await timer.async_wait(net::use_ec);
}

bool asked_to_fail(const std::function<bool(unsigned)>& decision, unsigned attempt) {
  return decision && decision(attempt);
}

// To everything that carries this sandbox's mark, daemons that left their session included.
void signal_all(const std::string& id, int number) {
  const std::string mark = kMark + id;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "environ", std::ios::binary);
    const std::string environment((std::istreambuf_iterator<char>(file)), {});
    const auto at = environment.find(mark);
    if (at == std::string::npos || (at != 0 && environment[at - 1] != '\0')) continue;
    ::kill(static_cast<pid_t>(std::stol(name)), number);
  }
}

class FakeSandbox final : public Sandbox {
 public:
  FakeSandbox(std::shared_ptr<FakeEngine::Shared> shared, std::string id)
      : shared_(std::move(shared)),
        id_(std::move(id)),
        directory_(shared_->options.root + "/" + id_) {}

  const std::string& id() const override { return id_; }

  Task<base::Result<std::unique_ptr<Process>>> exec(const ProcessSpec& given) override {
    const ProcessSpec spec = given;
    const unsigned attempt = ++shared_->counts.execs;
    co_await pause(shared_->options.exec_delay);
    if (asked_to_fail(shared_->options.exec_fails, attempt)) {
      co_return base::fail(base::Errc::kUnavailable, "fake: exec was told to fail");
    }
    co_return launch_fake(launch_for(spec), shared_->graveyard);
  }

  Task<base::Status> verify() override {
    const unsigned attempt = ++shared_->counts.verifies;
    co_await pause(shared_->options.verify_delay);
    if (asked_to_fail(shared_->options.verify_fails, attempt)) {
      co_return base::fail(base::Errc::kUnavailable, "fake: verify was told to fail");
    }
    ProcessSpec spec;
    spec.kind = ProcessKind::kExec;
    spec.command = "true";
    auto process = launch_fake(launch_for(spec), shared_->graveyard);
    if (!process) co_return base::wrap("verify", process.error());
    const ExitResult result = co_await (*process)->wait();
    if (result.kind != ExitResult::Kind::kStatus || result.value != 0) {
      co_return base::fail(base::Errc::kUnavailable, "verify: /bin/true did not return 0");
    }
    co_return base::Status{};
  }

  Task<base::Status> mark_claimed(const Label& label) override {
    co_return write_label(state_directory(), "label.json", label);
  }

  Task<base::Status> freeze() override {
    if (asked_to_fail(shared_->options.freeze_fails, ++shared_->counts.freezes)) {
      co_return base::fail(base::Errc::kUnavailable, "fake: freeze was told to fail");
    }
    signal_all(id_, SIGSTOP);
    std::error_code error;
    fs::create_directories(state_directory(), error);
    std::ofstream(state_directory() + "/frozen") << "";
    co_return base::Status{};
  }

  Task<base::Status> thaw() override {
    if (asked_to_fail(shared_->options.thaw_fails, ++shared_->counts.thaws)) {
      co_return base::fail(base::Errc::kUnavailable, "fake: thaw was told to fail");
    }
    std::error_code error;
    fs::remove(state_directory() + "/frozen", error);
    signal_all(id_, SIGCONT);
    co_return base::Status{};
  }

  Task<base::Result<std::uint64_t>> memory() override { co_return shared_->options.memory; }

  Task<base::Result<Preserved>> preserve(const Label& given) override {
    const Label label = given;
    signal_all(id_, SIGKILL);
    if (asked_to_fail(shared_->options.preserve_fails, ++shared_->counts.preserves)) {
      co_return base::fail(base::Errc::kUnavailable, "fake: preserve was told to fail");
    }
    const std::string target = shared_->options.preserved + "/" + id_;
    if (auto written = write_label(directory_, "sandbox.json", label); !written) {
      co_return base::wrap("preserve", written.error());
    }
    std::error_code error;
    fs::create_directories(shared_->options.preserved, error);
    fs::rename(directory_, target, error);
    if (error) co_return base::fail_errno("preserve: rename to " + target, error.value());
    fs::remove_all(state_directory(), error);
    ++shared_->counts.preserved;
    Preserved kept{target, 0};
    for (const auto& entry : fs::recursive_directory_iterator(target, error)) {
      if (entry.is_regular_file(error)) kept.bytes += entry.file_size(error);
    }
    co_return kept;
  }

  Task<void> destroy() override {
    signal_all(id_, SIGKILL);
    std::error_code error;
    fs::remove_all(directory_, error);
    fs::remove_all(state_directory(), error);
    ++shared_->counts.destroyed;
    co_return;
  }

 private:
  // Beside the sandbox, not in it: the process inside owns its own directory.
  std::string state_directory() const { return shared_->options.root + "/state/" + id_; }

  std::string account_script() const {
    const auto& script = shared_->options.account_script;
    return script ? script() : "exit 2";
  }

  FakeLaunch launch_for(const ProcessSpec& spec) const {
    const FakeOptions& options = shared_->options;
    const bool bash = ::access("/bin/bash", X_OK) == 0;
    FakeLaunch launch;
    launch.directory = directory_;
    launch.uid = options.uid;
    launch.drop = ::geteuid() == 0;
    launch.program = !options.shell.empty() ? options.shell : bash ? "/bin/bash" : "/bin/sh";
    const std::string name = launch.program.substr(launch.program.rfind('/') + 1);
    if (spec.kind == ProcessKind::kShell) {
      launch.argv = {"-" + name};
    } else {
      const bool sftp = spec.kind == ProcessKind::kSubsystem && spec.command == "sftp";
      const bool check = spec.kind >= ProcessKind::kCheckPassword;
      launch.argv = {name, "-c",
                     check  ? account_script()
                     : sftp ? options.sftp_server
                            : spec.command};
    }
    launch.env = {kMark + id_,
                  "USER=" + spec.user,
                  "LOGNAME=" + spec.user,
                  "HOME=" + directory_,
                  "PATH=/usr/local/bin:/usr/bin:/bin:/usr/games",
                  "SHELL=" + launch.program};
    for (const auto& [key, value] : spec.env) launch.env.push_back(key + "=" + value);
    launch.terminal = spec.terminal;
    if (spec.terminal) launch.env.push_back("TERM=" + spec.terminal->term);
    return launch;
  }

  std::shared_ptr<FakeEngine::Shared> shared_;
  std::string id_;
  std::string directory_;
};

}  // namespace

FakeEngine::FakeEngine(FakeOptions options, base::Log& log)
    : shared_(std::make_shared<Shared>(Shared{std::move(options), log, {}})) {
  if (shared_->options.preserved.empty()) {
    shared_->options.preserved = shared_->options.root + "/preserved";
  }
}

FakeEngine::~FakeEngine() = default;

const FakeCounts& FakeEngine::counts() const {
  return shared_->counts;
}

Task<base::Result<Capabilities>> FakeEngine::prepare() {
  shared_->log.warn(
      "FAKE ENGINE: every login gets a shell ON THIS HOST, nothing is isolated. For tests only; "
      "never reachable from a network");
  std::error_code error;
  fs::create_directories(shared_->options.root, error);
  if (error) co_return base::fail_errno("create " + shared_->options.root, error.value());
  ::chmod(shared_->options.root.c_str(), 0711);
  Capabilities capabilities;
  capabilities.engine = "fake";
  capabilities.version = "0";
  capabilities.runtime = "none";
  capabilities.notes = {"FOR TESTS ONLY: processes run on this host without any isolation"};
  co_return capabilities;
}

Task<base::Result<std::unique_ptr<Sandbox>>> FakeEngine::create(std::string id, Limits) {
  const auto shared = shared_;
  const unsigned attempt = ++shared->counts.creates;
  shared->counts.creating_most =
      std::max(shared->counts.creating_most, ++shared->counts.creating_now);
  co_await pause(shared->options.create_delay);
  --shared->counts.creating_now;
  if (asked_to_fail(shared->options.create_fails, attempt)) {
    co_return base::fail(base::Errc::kUnavailable, "fake: create was told to fail");
  }
  const std::string directory = shared->options.root + "/" + id;
  std::error_code error;
  if (!fs::create_directories(directory, error)) {
    co_return base::fail(base::Errc::kExists, "fake: " + directory + " exists already");
  }
  if (::geteuid() == 0 &&
      ::chown(directory.c_str(), shared->options.uid, shared->options.uid) != 0) {
    co_return base::fail_errno("chown " + directory, errno);
  }
  ++shared->counts.created;
  std::unique_ptr<Sandbox> sandbox = std::make_unique<FakeSandbox>(shared, std::move(id));
  co_return sandbox;
}

Task<base::Result<Leftover>> FakeEngine::restore(std::string reference, std::string id, Limits) {
  const auto shared = shared_;
  const unsigned attempt = ++shared->counts.restores;
  co_await pause(shared->options.create_delay);
  if (asked_to_fail(shared->options.restore_fails, attempt)) {
    co_return base::fail(base::Errc::kUnavailable, "fake: restore was told to fail");
  }
  const std::string directory = shared->options.root + "/" + id;
  std::error_code error;
  if (fs::exists(directory, error)) {
    co_return base::fail(base::Errc::kExists, "fake: " + directory + " exists already");
  }
  auto label = read_label(reference + "/sandbox.json");
  if (!label) co_return base::wrap("restore " + id, label.error());
  label->sandbox = id;
  const std::string state = shared->options.root + "/state/" + id;
  if (auto written = write_label(state, "label.json", *label); !written) {
    co_return base::wrap("restore " + id, written.error());
  }
  fs::rename(reference, directory, error);
  if (error) co_return base::fail_errno("restore: rename to " + directory, error.value());
  ++shared->counts.restored;
  std::unique_ptr<Sandbox> sandbox = std::make_unique<FakeSandbox>(shared, std::move(id));
  co_return Leftover{std::move(sandbox), std::move(*label)};
}

Task<std::vector<Leftover>> FakeEngine::recover() {
  std::vector<Leftover> leftovers;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(shared_->options.root, error)) {
    const std::string id = entry.path().filename();
    const bool is_id =
        id.size() == 12 && id.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!is_id || !entry.is_directory()) continue;
    auto sandbox = std::make_unique<FakeSandbox>(shared_, id);
    auto label = read_label(shared_->options.root + "/state/" + id + "/label.json");
    if (!label) {  // warm or half-built
      co_await sandbox->destroy();
      continue;
    }
    const bool frozen = fs::exists(shared_->options.root + "/state/" + id + "/frozen", error);
    leftovers.push_back(Leftover{std::move(sandbox), std::move(*label), frozen});
  }
  co_return leftovers;
}

Task<base::Status> FakeEngine::remove_preserved(const std::string& reference) {
  const fs::path path(reference);
  std::error_code error;
  const auto parent = fs::weakly_canonical(path.parent_path(), error);
  if (parent != fs::weakly_canonical(shared_->options.preserved, error)) {
    co_return base::fail(base::Errc::kInvalid, reference + " is not a preserved sandbox");
  }
  if (fs::remove_all(path, error) == 0 || error) {
    co_return base::fail(base::Errc::kNotFound, reference + ": nothing there");
  }
  co_return base::Status{};
}

}  // namespace sandtrap::sandbox
