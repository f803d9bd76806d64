#include "sandbox/fake_process.h"

#include <fcntl.h>
#include <grp.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "sandbox/pidfd.h"

namespace sandtrap::sandbox {
namespace {

std::optional<ExitResult> reap(const base::Fd& pidfd, bool block) {
  siginfo_t info{};
  const int flags = WEXITED | (block ? 0 : WNOHANG);
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, flags) != 0) {
    if (errno != EINTR) return ExitResult{};  // somebody else reaped it
  }
  if (info.si_pid == 0) return std::nullopt;  // still running
  ExitResult result;
  result.kind = info.si_code == CLD_EXITED ? ExitResult::Kind::kStatus : ExitResult::Kind::kSignal;
  result.value = info.si_status;
  result.core_dumped = info.si_code == CLD_DUMPED;
  return result;
}

class FakeProcess final : public Process {
 public:
  FakeProcess(pid_t pid, base::Fd pidfd, Streams streams, base::Fd terminal,
              std::shared_ptr<Graveyard> graveyard)
      : pid_(pid),
        pidfd_(std::move(pidfd)),
        streams_(std::move(streams)),
        terminal_(std::move(terminal)),
        graveyard_(std::move(graveyard)) {}
  FakeProcess(const FakeProcess&) = delete;
  FakeProcess& operator=(const FakeProcess&) = delete;
  ~FakeProcess() override {
    if (ended_) return;
    ::kill(-pid_, SIGHUP);  // its group cannot have been reused: we have not reaped the leader
    graveyard_->bury(std::move(pidfd_));
  }

  Streams take_streams() override { return std::move(streams_); }

  Task<base::Status> resize(std::uint32_t columns, std::uint32_t rows, std::uint32_t width_px,
                            std::uint32_t height_px) override {
    if (!terminal_) co_return base::fail(base::Errc::kUnsupported, "resize: no terminal");
    winsize size{};
    size.ws_col = static_cast<unsigned short>(std::min<std::uint32_t>(columns, 65535));
    size.ws_row = static_cast<unsigned short>(std::min<std::uint32_t>(rows, 65535));
    size.ws_xpixel = static_cast<unsigned short>(std::min<std::uint32_t>(width_px, 65535));
    size.ws_ypixel = static_cast<unsigned short>(std::min<std::uint32_t>(height_px, 65535));
    if (::ioctl(terminal_.get(), TIOCSWINSZ, &size) != 0) {
      co_return base::fail_errno("TIOCSWINSZ", errno);
    }
    co_return base::Status{};
  }

  Task<base::Status> signal(int number) override {
    if (ended_) co_return base::fail(base::Errc::kNotFound, "the process has ended");
    if (::kill(-pid_, number) != 0) co_return base::fail_errno("killpg", errno);
    co_return base::Status{};
  }

  Task<ExitResult> wait() override {
    if (!ended_) {
      const auto waited = co_await wait_for_end(pidfd_);
      if (!waited) co_return ExitResult{};
      result_ = reap(pidfd_, true).value_or(ExitResult{});
      ended_ = true;
    }
    co_return result_;
  }

  // As sshd: closing the terminal hangs up its session; a process without one only finds its pipes
  // closed (the gate closes them).
  Task<void> hang_up() override {
    if (!ended_ && terminal_) ::kill(-pid_, SIGHUP);
    terminal_.reset();
    co_return;
  }

 private:
  pid_t pid_;
  base::Fd pidfd_;
  Streams streams_;
  base::Fd terminal_;  // our copy of the master end
  std::shared_ptr<Graveyard> graveyard_;
  bool ended_ = false;
  ExitResult result_;
};

// What the child needs, prepared before the fork: after it only async-signal-safe calls.
struct Prepared {
  std::vector<char*> argv, env;
  int in = -1, out = -1, err = -1;
};

[[noreturn]] void run_child(const FakeLaunch& launch, const Prepared& prepared) {
  ::setsid();
  if (launch.terminal) ::ioctl(prepared.in, TIOCSCTTY, 0);
  if (::dup2(prepared.in, 0) < 0 || ::dup2(prepared.out, 1) < 0 || ::dup2(prepared.err, 2) < 0) {
    ::_exit(126);
  }
  if (launch.drop &&
      (::setgroups(0, nullptr) != 0 || ::setgid(launch.uid) != 0 || ::setuid(launch.uid) != 0)) {
    ::_exit(126);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  if (::chdir(launch.directory.c_str()) != 0) ::_exit(126);
  ::execve(launch.program.c_str(), prepared.argv.data(), prepared.env.data());
  ::_exit(127);
}

struct Ends {
  std::array<base::Fd, 3> child;
  Process::Streams streams;
  base::Fd terminal;
};

base::Result<Ends> open_pty(const FakeLaunch& launch) {
  int master = -1;
  int slave = -1;
  if (::openpty(&master, &slave, nullptr, nullptr, nullptr) != 0) {
    return base::fail_errno("openpty", errno);
  }
  Ends ends;
  ends.streams.input = base::Fd(master);
  ends.child[0] = base::Fd(slave);
  ::fcntl(master, F_SETFD, FD_CLOEXEC);
  ::fcntl(slave, F_SETFD, FD_CLOEXEC);
  apply_terminal(slave, *launch.terminal);
  if (launch.drop && ::fchown(slave, launch.uid, launch.uid) != 0) {
    return base::fail_errno("chown of the terminal", errno);
  }
  ends.child[1] = base::Fd(::fcntl(slave, F_DUPFD_CLOEXEC, 0));
  ends.child[2] = base::Fd(::fcntl(slave, F_DUPFD_CLOEXEC, 0));
  ends.terminal = base::Fd(::fcntl(master, F_DUPFD_CLOEXEC, 0));
  if (!ends.child[1] || !ends.child[2] || !ends.terminal) return base::fail_errno("dup", errno);
  return ends;
}

base::Result<Ends> open_pipes() {
  Ends ends;
  base::Fd* ours[] = {&ends.streams.input, &ends.streams.output, &ends.streams.error};
  for (std::size_t i = 0; i < 3; ++i) {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) return base::fail_errno("pipe", errno);
    const std::size_t child_end = i == 0 ? 0 : 1;
    ends.child[i] = base::Fd(fds[child_end]);
    ours[i]->reset(fds[1 - child_end]);
  }
  return ends;
}

std::vector<char*> pointers(const std::vector<std::string>& values) {
  std::vector<char*> out;
  for (const std::string& value : values) out.push_back(const_cast<char*>(value.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

Graveyard::~Graveyard() {
  for (const base::Fd& pidfd : pidfds_) {
    static_cast<void>(send_signal(pidfd, SIGKILL));
    reap(pidfd, true);
  }
}

void Graveyard::bury(base::Fd pidfd) {
  pidfds_.push_back(std::move(pidfd));
  sweep();
}

void Graveyard::sweep() {
  std::erase_if(pidfds_, [](const base::Fd& pidfd) { return reap(pidfd, false).has_value(); });
}

base::Result<std::unique_ptr<Process>> launch_fake(const FakeLaunch& launch,
                                                   std::shared_ptr<Graveyard> graveyard) {
  graveyard->sweep();
  auto ends = launch.terminal ? open_pty(launch) : open_pipes();
  if (!ends) return base::wrap("fake exec", ends.error());

  Prepared prepared;
  prepared.argv = pointers(launch.argv);
  prepared.env = pointers(launch.env);
  prepared.in = ends->child[0].get();
  prepared.out = ends->child[1].get();
  prepared.err = ends->child[2].get();
  // Closed by the exec: the process leads its own group before anyone can signal it.
  int started[2];
  if (::pipe2(started, O_CLOEXEC) != 0) return base::fail_errno("pipe", errno);
  const base::Fd read_end(started[0]);
  base::Fd write_end(started[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return base::fail_errno("fork", errno);
  if (pid == 0) run_child(launch, prepared);
  write_end.reset();
  char none = 0;
  while (::read(read_end.get(), &none, 1) < 0 && errno == EINTR) {
  }

  auto pidfd = open_pidfd(pid);
  if (!pidfd) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return base::wrap("fake exec", pidfd.error());
  }
  return std::make_unique<FakeProcess>(pid, std::move(*pidfd), std::move(ends->streams),
                                       std::move(ends->terminal), std::move(graveyard));
}

}  // namespace sandtrap::sandbox
