#include "sandbox/pidfd.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <csignal>

#include "net/task.h"

namespace sandtrap::sandbox {
namespace {

// linux/pidfd.h of 6.15; older headers do not have it. Version 0 of the struct is 64 bytes.
struct PidfdInfo {
  std::uint64_t mask;
  std::uint64_t cgroup_id;
  std::uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  std::int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr std::uint64_t kInfoExit = 1U << 3;
constexpr unsigned long kGetInfo = _IOWR(0xFF, 11, PidfdInfo);

}  // namespace

base::Result<base::Fd> open_pidfd(pid_t pid) {
  const long fd = ::syscall(SYS_pidfd_open, pid, 0U);  // close-on-exec by definition
  if (fd >= 0) return base::Fd(static_cast<int>(fd));
  if (errno == ESRCH) return base::fail(base::Errc::kNotFound, "no such process");
  return base::fail_errno("pidfd_open", errno);
}

base::Status send_signal(const base::Fd& pidfd, int number) {
  if (::syscall(SYS_pidfd_send_signal, pidfd.get(), number, nullptr, 0U) == 0) return {};
  if (errno == ESRCH) return base::fail(base::Errc::kNotFound, "the process has ended");
  return base::fail_errno("pidfd_send_signal", errno);
}

Task<base::Status> wait_for_end(const base::Fd& pidfd) {
  const int copy = ::fcntl(pidfd.get(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) co_return base::fail_errno("dup pidfd", errno);
  boost::asio::posix::stream_descriptor descriptor(co_await boost::asio::this_coro::executor, copy);
  const auto [error] =
      co_await descriptor.async_wait(boost::asio::posix::descriptor_base::wait_read, net::use_ec);
  if (error) co_return base::fail(base::Errc::kIo, "wait for process: " + error.message());
  co_return base::Status{};
}

std::optional<ExitResult> exit_of_foreign(const base::Fd& pidfd) {
  PidfdInfo info{};
  info.mask = kInfoExit;
  if (::ioctl(pidfd.get(), kGetInfo, &info) != 0) return std::nullopt;
  if ((info.mask & kInfoExit) == 0) return std::nullopt;
  return from_wait_status(info.exit_code);
}

ExitResult from_wait_status(int status) {
  ExitResult result;
  if (WIFEXITED(status)) {
    result.kind = ExitResult::Kind::kStatus;
    result.value = WEXITSTATUS(status);
  } else if (WIFSIGNALED(status)) {
    result.kind = ExitResult::Kind::kSignal;
    result.value = WTERMSIG(status);
    result.core_dumped = WCOREDUMP(status);
  }
  return result;
}

}  // namespace sandtrap::sandbox
