#include "app/launch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "app/roles.h"

namespace sandtrap::app {
namespace {

constexpr int kHighFd = 64;  // above every target, so that no source is overwritten

// Between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(const char* program, char* const* argv, std::array<int, 3> sources) {
  constexpr std::array<int, 3> kTargets = {kControlFd, kSettingsFd, kLockFd};
  const int null = ::open("/dev/null", O_RDWR);
  if (null >= 0) ::dup2(null, STDIN_FILENO);
  for (int& source : sources) {
    if (source >= 0) source = ::fcntl(source, F_DUPFD, kHighFd);
  }
  unsigned first_unused = kControlFd;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (sources[i] < 0) continue;
    if (::dup2(sources[i], kTargets[i]) < 0) ::_exit(127);
    first_unused = static_cast<unsigned>(kTargets[i]) + 1;
  }
  ::syscall(SYS_close_range, first_unused, ~0U, 0U);
  ::setsid();
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGPIPE}) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execv(program, argv);
  ::_exit(127);
}

}  // namespace

base::Result<pid_t> launch(const Launch& what) {
  std::vector<char*> argv;
  for (const std::string& argument : what.arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return base::fail_errno("fork", errno);
  if (pid == 0) {
    become(what.program.c_str(), argv.data(), {what.control, what.settings, what.lock});
  }
  return pid;
}

base::Result<base::Fd> text_in_memory(std::string_view text) {
  base::Fd file(::memfd_create("settings", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return base::fail_errno("memfd_create", errno);
  while (!text.empty()) {
    const ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::fail_errno("write settings", errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  ::lseek(file.get(), 0, SEEK_SET);
  const int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  if (::fcntl(file.get(), F_ADD_SEALS, seals) != 0) return base::fail_errno("seal settings", errno);
  return file;
}

std::string describe_wait_status(int status) {
  if (WIFEXITED(status)) {
    const int code = WEXITSTATUS(status);
    return fmt::format("exit status {}{}", code, code == 127 ? " (could not be executed)" : "");
  }
  if (WIFSIGNALED(status)) {
    return fmt::format("signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  }
  return fmt::format("wait status {}", status);
}

void survive_broken_pipes() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGPIPE, &action, nullptr);
}

}  // namespace sandtrap::app
