#include "sandbox/docker_terminal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>

#include "sandbox/pidfd.h"

namespace sandtrap::sandbox {
namespace {

constexpr unsigned kPtsFirst = 136, kPtsLast = 143;  // majors of Unix98 pseudo terminals

std::string standard_input_of(pid_t pid) {
  return fmt::format("/proc/{}/fd/0", pid);
}

}  // namespace

std::optional<TerminalIdentity> terminal_of(pid_t pid) {
  struct stat info {};
  if (::stat(standard_input_of(pid).c_str(), &info) != 0) return std::nullopt;
  const unsigned number = major(info.st_rdev);
  if (!S_ISCHR(info.st_mode) || number < kPtsFirst || number > kPtsLast) return std::nullopt;
  return TerminalIdentity{info.st_dev, info.st_rdev};
}

base::Status hang_up_terminal(pid_t pid, const base::Fd& pidfd, const TerminalIdentity& terminal) {
  const std::string path = standard_input_of(pid);
  // Looked at before it is opened: an open may have effects (the sandbox has no devices of its own
  // and cannot make any, so what is left to win between the two looks is a FIFO).
  const auto now = terminal_of(pid);
  const auto is_it = [&](const TerminalIdentity& other) {
    return other.filesystem == terminal.filesystem && other.device == terminal.device;
  };
  if (!now || !is_it(*now)) return base::fail(base::Errc::kNotFound, "its terminal is gone");
  const base::Fd tty(::open(path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!tty) return base::fail_errno("open terminal", errno);
  struct stat info {};
  if (::fstat(tty.get(), &info) != 0 || !S_ISCHR(info.st_mode) ||
      !is_it({info.st_dev, info.st_rdev})) {
    return base::fail(base::Errc::kNotFound, "its terminal is gone");
  }
  if (auto alive = send_signal(pidfd, 0); !alive) return alive;
  if (::ioctl(tty.get(), TIOCVHANGUP) != 0) return base::fail_errno("TIOCVHANGUP", errno);
  return {};
}

}  // namespace sandtrap::sandbox
