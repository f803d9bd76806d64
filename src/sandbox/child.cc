#include "sandbox/child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <csignal>

#include "net/task.h"
#include "sandbox/pidfd.h"

namespace sandtrap::sandbox {
namespace {

// A fixed environment: nothing of the operator's reaches a runtime or a sandbox.
char kPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
char kLocale[] = "LC_ALL=C";
char* const kEnvironment[] = {kPath, kLocale, nullptr};

std::vector<char*> pointers(const std::vector<std::string>& argv) {
  std::vector<char*> out;
  for (const std::string& arg : argv) out.push_back(const_cast<char*>(arg.c_str()));
  out.push_back(nullptr);
  return out;
}

// The three descriptors, moved above 2 so that no dup2 overwrites a later one's source.
base::Result<std::vector<base::Fd>> stdio_copies(const SpawnRequest& request) {
  std::vector<base::Fd> out;
  for (const int fd : {request.in, request.out, request.err}) {
    base::Fd null;
    if (fd < 0) null = base::Fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
    base::Fd copy(::fcntl(fd < 0 ? null.get() : fd, F_DUPFD_CLOEXEC, 3));
    if (!copy) return base::fail_errno("dup for a child", errno);
    out.push_back(std::move(copy));
  }
  return out;
}

struct SpawnSetup {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnSetup() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnSetup() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;
};

// Runs in the forked child: system calls only.
[[noreturn]] void become(const SpawnRequest& request, const std::vector<base::Fd>& stdio,
                         char* const* argv) {
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  ::setsid();
  for (int fd = 0; fd < 3; ++fd) ::dup2(stdio[static_cast<std::size_t>(fd)].get(), fd);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  const char* step = request.preparation->apply();
  if (step == nullptr) {
    ::execve(argv[0], argv, kEnvironment);
    step = argv[0];
  }
  const char* reason = ::strerrordesc_np(errno);
  for (const char* text : {step, ": ", reason == nullptr ? "error" : reason})
    if (::write(request.report, text, __builtin_strlen(text)) < 0) break;
  ::_exit(127);
}

std::string read_all(int fd, std::size_t most) {
  std::string out(most, '\0');
  const ssize_t n = ::pread(fd, out.data(), out.size(), 0);
  out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return out;
}

}  // namespace

struct Child::Waiter {
  boost::asio::steady_timer timer;
};

void Child::finish() {
  int status = 0;
  // Ours: reap it. Not ours (it survived an earlier warden): only its end is known.
  const pid_t reaped = ::waitpid(pid_, &status, WNOHANG | __WALL);
  if (reaped == pid_) {
    result_ = from_wait_status(status);
  } else {
    result_ = exit_of_foreign(pidfd_).value_or(ExitResult{});
  }
  for (Waiter* waiter : waiters_) waiter->timer.cancel();
}

Task<bool> Child::wait(std::optional<std::chrono::milliseconds> limit) {
  const auto self = shared_from_this();
  if (result_) co_return true;
  Waiter waiter{boost::asio::steady_timer(co_await boost::asio::this_coro::executor)};
  if (limit) {
    waiter.timer.expires_after(*limit);
  } else {
    waiter.timer.expires_at(boost::asio::steady_timer::time_point::max());
  }
  const auto place = waiters_.insert(waiters_.end(), &waiter);
  struct Leave {
    std::list<Waiter*>& list;
    std::list<Waiter*>::iterator at;
    ~Leave() { list.erase(at); }
  } leave{waiters_, place};
  co_await waiter.timer.async_wait(net::use_ec);
  co_return result_.has_value();
}

base::Status Child::signal(int number) {
  if (result_) return base::fail(base::Errc::kNotFound, "the process has ended");
  return send_signal(pidfd_, number);
}

base::Status Child::signal_group(int number) {
  // Not reaped yet, so its number, and the group of that number, cannot be another's.
  if (result_) return base::fail(base::Errc::kNotFound, "the process has ended");
  if (::kill(-pid_, number) != 0) return base::fail_errno("kill", errno);
  return {};
}

Children::Children(boost::asio::io_context& io)
    : io_(io), known_(std::make_shared<std::set<pid_t>>()) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::signal(SIGCHLD, SIG_DFL);  // SIG_IGN would throw exit statuses away
}

base::Result<std::shared_ptr<Child>> Children::adopt(pid_t pid) {
  auto pidfd = open_pidfd(pid);
  if (!pidfd) return tl::unexpected(pidfd.error());
  const int copy = ::fcntl(pidfd->get(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return base::fail_errno("dup pidfd", errno);
  const std::shared_ptr<Child> child(new Child(pid, std::move(*pidfd)));
  auto watch = std::make_shared<boost::asio::posix::stream_descriptor>(io_, copy);
  known_->insert(pid);
  watch->async_wait(boost::asio::posix::descriptor_base::wait_read,
                    [child, watch, known = known_](const boost::system::error_code& error) {
                      if (error) return;
                      child->finish();
                      known->erase(child->pid());
                    });
  return child;
}

base::Result<std::shared_ptr<Child>> Children::spawn(const SpawnRequest& request) {
  if (request.preparation != nullptr) return fork_prepared(request);
  auto stdio = stdio_copies(request);
  if (!stdio) return tl::unexpected(stdio.error());
  SpawnSetup setup;
  for (int fd = 0; fd < 3; ++fd)
    ::posix_spawn_file_actions_adddup2(&setup.actions, (*stdio)[static_cast<std::size_t>(fd)].get(),
                                       fd);
  // Ours are close-on-exec; what our own parent left open is not.
  ::posix_spawn_file_actions_addclosefrom_np(&setup.actions, 3);
  sigset_t all, none;
  ::sigfillset(&all);
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigdefault(&setup.attributes, &all);
  ::posix_spawnattr_setsigmask(&setup.attributes, &none);
  ::posix_spawnattr_setflags(&setup.attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                    static_cast<short>(POSIX_SPAWN_SETSID));
  const auto argv = pointers(request.argv);
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, argv[0], &setup.actions, &setup.attributes, argv.data(), kEnvironment);
  if (error != 0) return base::fail_errno("run " + request.argv[0], error);
  return adopt(pid);
}

base::Result<std::shared_ptr<Child>> Children::fork_prepared(const SpawnRequest& request) {
  auto stdio = stdio_copies(request);
  if (!stdio) return tl::unexpected(stdio.error());
  const auto argv = pointers(request.argv);
  sigset_t all, before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);  // no handler of ours runs in the child
  const pid_t pid = ::fork();
  const int error = errno;
  if (pid == 0) become(request, *stdio, argv.data());
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return base::fail_errno("fork", error);
  return adopt(pid);
}

Task<base::Result<Finished>> Children::run(SpawnRequest request, std::chrono::milliseconds limit) {
  // A memory file, not a pipe: whoever inherits it can neither block nor keep us waiting.
  const base::Fd said(::memfd_create("output", MFD_CLOEXEC));
  if (!said) co_return base::fail_errno("memfd_create", errno);
  request.in = -1;
  request.out = request.err = request.report = said.get();
  auto child = spawn(request);
  if (!child) co_return tl::unexpected(child.error());
  if (!co_await (*child)->wait(limit)) {
    // Ended meanwhile: nothing to kill.
    (void)(*child)->signal_group(SIGKILL);
    co_return base::fail(base::Errc::kTimeout, request.argv[0] + " took too long");
  }
  Finished finished;
  finished.exit = *(*child)->result();
  finished.output = read_all(said.get(), kMaxOutput);
  co_return finished;
}

void Children::sweep() {
  siginfo_t info{};
  // WNOWAIT shows the same zombie until it is reaped: one that stands for a Child is about to be.
  while (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
    if (known_->count(info.si_pid) != 0) return;
    if (seen_.insert(info.si_pid).second) return;
    seen_.erase(info.si_pid);
    ::waitpid(info.si_pid, nullptr, WNOHANG);
    info = {};
  }
}

}  // namespace sandtrap::sandbox
