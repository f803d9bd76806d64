#include "sandbox/fake_sandbox.h"

#include <signal.h>
#include <unistd.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "net/task.h"
#include "sandbox/label.h"

namespace sandtrap::sandbox {
namespace fs = std::filesystem;
namespace {

constexpr const char* kMark = "SANDTRAP_FAKE_SANDBOX=";  // in every environment: finds the strays

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

}  // namespace

Task<void> fake_pause(std::chrono::milliseconds time) {
  if (time.count() <= 0) co_return;
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, time);
  co_await timer.async_wait(net::use_ec);
}

bool asked_to_fail(const std::function<bool(unsigned)>& decision, unsigned attempt) {
  return decision && decision(attempt);
}

FakeSandbox::FakeSandbox(std::shared_ptr<FakeEngine::Shared> shared, std::string id)
    : shared_(std::move(shared)),
      id_(std::move(id)),
      directory_(shared_->options.root + "/" + id_) {}

Task<base::Result<std::unique_ptr<Process>>> FakeSandbox::exec(const ProcessSpec& given) {
  const ProcessSpec spec = given;
  const unsigned attempt = ++shared_->counts.execs;
  co_await fake_pause(shared_->options.exec_delay);
  if (asked_to_fail(shared_->options.exec_fails, attempt)) {
    co_return base::fail(base::Errc::kUnavailable, "fake: exec was told to fail");
  }
  co_return launch_fake(launch_for(spec), shared_->graveyard);
}

Task<base::Status> FakeSandbox::verify() {
  const unsigned attempt = ++shared_->counts.verifies;
  co_await fake_pause(shared_->options.verify_delay);
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

Task<base::Status> FakeSandbox::mark_claimed(const Label& label) {
  co_return write_label(state_directory(), "label.json", label);
}

Task<base::Status> FakeSandbox::freeze() {
  if (asked_to_fail(shared_->options.freeze_fails, ++shared_->counts.freezes)) {
    co_return base::fail(base::Errc::kUnavailable, "fake: freeze was told to fail");
  }
  signal_all(id_, SIGSTOP);
  std::error_code error;
  fs::create_directories(state_directory(), error);
  std::ofstream(state_directory() + "/frozen") << "";
  co_return base::Status{};
}

Task<base::Status> FakeSandbox::thaw() {
  if (asked_to_fail(shared_->options.thaw_fails, ++shared_->counts.thaws)) {
    co_return base::fail(base::Errc::kUnavailable, "fake: thaw was told to fail");
  }
  std::error_code error;
  fs::remove(state_directory() + "/frozen", error);
  signal_all(id_, SIGCONT);
  co_return base::Status{};
}

Task<base::Result<Preserved>> FakeSandbox::preserve(const Label& given) {
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

Task<void> FakeSandbox::destroy() {
  signal_all(id_, SIGKILL);
  std::error_code error;
  fs::remove_all(directory_, error);
  fs::remove_all(state_directory(), error);
  ++shared_->counts.destroyed;
  co_return;
}

std::string FakeSandbox::account_script() const {
  const auto& script = shared_->options.account_script;
  return script ? script() : "exit 2";
}

FakeLaunch FakeSandbox::launch_for(const ProcessSpec& spec) const {
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

}  // namespace sandtrap::sandbox
