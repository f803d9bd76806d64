// Runs inside the gate's confinement: a forked child locks itself in and then tries what an
// attacker who steers it would try. Denied calls get EPERM here, so that each can be watched; one
// test shows that the shipped filter kills.
#include "gate/confinement.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

namespace sandtrap::gate {
namespace {

ConfinementPlan plan_for_tests(OnForbidden on_forbidden) {
  ConfinementPlan plan;
  plan.identity = {61801, 61801};
  plan.run_dir = "/tmp";
  plan.max_descriptors = 256;
  plan.on_forbidden = on_forbidden;
  return plan;
}

// One line per attempt: "name: result errno".
class Report {
 public:
  explicit Report(int fd) : fd_(fd) {}
  void line(const char* name, long result) {
    const int error = result < 0 ? errno : 0;
    char text[160];
    const int n =
        std::snprintf(text, sizeof text, "%s %ld %d\n", name, result < 0 ? -1L : 0L, error);
    if (::write(fd_, text, static_cast<std::size_t>(n)) < 0) ::_exit(3);
  }

 private:
  int fd_;
};

struct Attempt {
  std::string name;
  bool succeeded = false;
  int error = 0;
};

// Descriptors made before the confinement, as the gate has them.
struct Given {
  int listening = -1, pair[2] = {-1, -1}, epoll = -1, event = -1, timer = -1;
  int port = 0;
};

Given prepare() {
  Given given;
  given.listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ::bind(given.listening, reinterpret_cast<sockaddr*>(&address), length);
  ::listen(given.listening, 8);
  ::getsockname(given.listening, reinterpret_cast<sockaddr*>(&address), &length);
  given.port = ntohs(address.sin_port);
  ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, given.pair);
  given.epoll = ::epoll_create1(EPOLL_CLOEXEC);
  given.event = ::eventfd(0, EFD_CLOEXEC);
  given.timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  return given;
}

void try_files(Report& report) {
  report.line("open", ::syscall(SYS_open, "/", O_RDONLY));
  report.line("openat", ::open("/etc/passwd", O_RDONLY));
  report.line("openat_create", ::open("/x", O_CREAT | O_WRONLY, 0600));
  report.line("openat2", ::syscall(SYS_openat2, AT_FDCWD, "/", nullptr, 0));
  struct stat info;
  report.line("stat_path", ::stat("/", &info));
  report.line("mkdir", ::mkdir("/x", 0700));
  report.line("unlink", ::unlink("/x"));
  report.line("chdir", ::chdir("/"));
  report.line("memfd_create", ::syscall(SYS_memfd_create, "x", 0));
  report.line("chroot", ::chroot("/"));
  report.line("mount", ::mount("none", "/", "tmpfs", 0, nullptr));
  report.line("pivot_root", ::syscall(SYS_pivot_root, ".", "."));
}

void try_network(Report& report, const Given& given) {
  report.line("socket_inet", ::socket(AF_INET, SOCK_STREAM, 0));
  report.line("socket_unix", ::socket(AF_UNIX, SOCK_STREAM, 0));
  report.line("socket_packet", ::socket(AF_PACKET, SOCK_RAW, 0));
  int pair[2];
  report.line("socketpair", ::socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(given.port));
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  report.line("connect", ::connect(given.pair[0], generic, sizeof address));
  report.line("bind", ::bind(given.pair[0], generic, sizeof address));
  report.line("listen", ::listen(given.pair[0], 1));
  report.line("sendto_address", ::sendto(given.pair[0], "x", 1, 0, generic, sizeof address));
  const int on = 1;
  report.line("setsockopt_other",
              ::setsockopt(given.pair[0], SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
}

void try_processes(Report& report) {
  char* const argv[] = {const_cast<char*>("/bin/true"), nullptr};
  report.line("execve", ::execve("/bin/true", argv, nullptr));
  report.line("execveat", ::syscall(SYS_execveat, 0, "", argv, nullptr, AT_EMPTY_PATH));
  report.line("fork", ::syscall(SYS_fork));
  report.line("vfork", ::syscall(SYS_vfork));
  report.line("clone", ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  report.line("clone_thread", ::syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, nullptr,
                                        nullptr, nullptr, nullptr));
  report.line("clone3", ::syscall(SYS_clone3, nullptr, 0));
  report.line("ptrace", ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));
  iovec nothing{};
  report.line("process_vm_readv",
              ::syscall(SYS_process_vm_readv, ::getppid(), &nothing, 1, &nothing, 1, 0));
  report.line("kill", ::kill(1, 0));
  report.line("tgkill_other", ::syscall(SYS_tgkill, 1, 1, 0));
  report.line("pidfd_open", ::syscall(SYS_pidfd_open, 1, 0));
}

void try_kernel(Report& report) {
  report.line("prctl", ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
  report.line("unshare_user", ::unshare(CLONE_NEWUSER));
  report.line("setns", ::setns(0, 0));
  report.line("setuid", ::syscall(SYS_setuid, 0));
  report.line("capset", ::syscall(SYS_capset, nullptr, nullptr));
  report.line("bpf", ::syscall(SYS_bpf, BPF_MAP_CREATE, nullptr, 0));
  report.line("perf_event_open", ::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0));
  report.line("io_uring_setup", ::syscall(SYS_io_uring_setup, 1, nullptr));
  report.line("keyctl", ::syscall(SYS_keyctl, 0, 0, 0, 0, 0));
  report.line("userfaultfd", ::syscall(SYS_userfaultfd, 0));
  report.line("seccomp", ::syscall(SYS_seccomp, 0, 0, nullptr));
  report.line("rt_sigaction", ::syscall(SYS_rt_sigaction, SIGTERM, nullptr, nullptr, 8));
  const rlimit more{1024, 1024};
  report.line("setrlimit", ::setrlimit(RLIMIT_NPROC, &more));
  report.line("f_setfl", ::fcntl(STDERR_FILENO, F_SETFL, 0));  // would drop O_APPEND
  report.line("ioctl_tiocsti", ::syscall(SYS_ioctl, 0, 0x5412, nullptr));
  void* code =
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  report.line("mmap_exec", code == MAP_FAILED ? -1 : 0);
  void* data = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  report.line("allowed_mmap", data == MAP_FAILED ? -1 : 0);
  report.line("mprotect_exec", ::mprotect(data, 4096, PROT_READ | PROT_EXEC));
}

void try_allowed(Report& report, const Given& given) {
  report.line("allowed_accept4", ::accept4(given.listening, nullptr, nullptr, SOCK_NONBLOCK));
  report.line("allowed_send", ::send(given.pair[0], "x", 1, MSG_NOSIGNAL));
  char byte = 0;
  report.line("allowed_recv", ::recv(given.pair[1], &byte, 1, 0));
  report.line("allowed_write", ::write(given.pair[0], "y", 1));
  report.line("allowed_read", ::read(given.pair[1], &byte, 1));
  epoll_event event{};
  event.events = EPOLLIN;
  report.line("allowed_epoll_ctl", ::epoll_ctl(given.epoll, EPOLL_CTL_ADD, given.pair[1], &event));
  report.line("allowed_epoll_wait", ::epoll_wait(given.epoll, &event, 1, 0));
  const itimerspec soon{{0, 0}, {1, 0}};
  report.line("allowed_timerfd", ::timerfd_settime(given.timer, 0, &soon, nullptr));
  const std::uint64_t one = 1;
  report.line("allowed_eventfd", ::write(given.event, &one, sizeof one));
  int on = 1;
  report.line("allowed_nonblock", ::ioctl(given.pair[0], FIONBIO, &on));
  report.line("allowed_keepalive",
              ::setsockopt(given.listening, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on));
  report.line("allowed_nodelay",
              ::setsockopt(given.listening, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
  report.line("allowed_tos", ::setsockopt(given.listening, IPPROTO_IP, IP_TOS, &on, sizeof on));
  report.line("allowed_getrandom", ::getrandom(&byte, 1, 0));
  timespec now;
  report.line("allowed_clock", ::clock_gettime(CLOCK_REALTIME, &now));
  report.line("allowed_shutdown", ::shutdown(given.pair[0], SHUT_WR));
  report.line("allowed_close", ::close(given.pair[0]));
}

std::vector<Attempt> read_report(int fd) {
  std::string text;
  char block[4096];
  for (ssize_t n; (n = ::read(fd, block, sizeof block)) > 0;) {
    text.append(block, static_cast<std::size_t>(n));
  }
  std::vector<Attempt> attempts;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    char name[64];
    long result = 0;
    int error = 0;
    if (std::sscanf(text.substr(at, end - at).c_str(), "%63s %ld %d", name, &result, &error) == 3) {
      attempts.push_back({name, result == 0, error});
    }
    at = end + 1;
  }
  return attempts;
}

class Confined : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "confinement starts as root";
  }
};

TEST_F(Confined, DangerousCallsFailAndNeededOnesWork) {
  const Given given = prepare();
  // A client waits in the listening socket's queue, made outside: accept(2) must still find it.
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(given.port));
  ASSERT_EQ(::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  int out[2];
  ASSERT_EQ(::pipe2(out, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::close(out[0]);
    Report report(out[1]);
    if (auto ok = confine(plan_for_tests(OnForbidden::kError)); !ok) {
      std::fprintf(stderr, "confine: %s\n", ok.error().context.c_str());
      ::_exit(2);
    }
    try_files(report);
    try_network(report, given);
    try_processes(report);
    try_kernel(report);
    try_allowed(report, given);
    ::_exit(0);
  }
  ::close(out[1]);
  const std::vector<Attempt> attempts = read_report(out[0]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_GT(attempts.size(), 60U);
  for (const Attempt& attempt : attempts) {
    const bool allowed = attempt.name.starts_with("allowed_");
    EXPECT_EQ(attempt.succeeded, allowed) << attempt.name << " errno " << attempt.error;
    EXPECT_EQ(attempt.error, allowed ? 0 : EPERM) << attempt.name;
  }
  ::close(client);
}

TEST_F(Confined, RootIsEmptyAndThePrivilegesAreGoneEvenWithoutSeccomp) {
  // The walls below the filter, seen by a parent through /proc while the child waits.
  int go[2], ready[2];
  ASSERT_EQ(::pipe2(go, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::close(go[1]);
    if (!confine(plan_for_tests(OnForbidden::kKill))) ::_exit(2);
    char byte = 'r';
    if (::write(ready[1], &byte, 1) != 1) ::_exit(3);
    ::_exit(::read(go[0], &byte, 1) == 0 ? 0 : 4);
  }
  ::close(ready[1]);
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1) << "confine failed";
  const std::string proc = "/proc/" + std::to_string(child);
  std::string status;
  {
    const int fd = ::open((proc + "/status").c_str(), O_RDONLY | O_CLOEXEC);
    char block[8192];
    const ssize_t n = ::read(fd, block, sizeof block);
    status.assign(block, static_cast<std::size_t>(n > 0 ? n : 0));
    ::close(fd);
  }
  const auto has = [&status](const char* line) { return status.find(line) != std::string::npos; };
  EXPECT_TRUE(has("Uid:\t61801\t61801\t61801\t61801\n")) << status;
  EXPECT_TRUE(has("Gid:\t61801\t61801\t61801\t61801\n"));
  EXPECT_TRUE(has("Groups:\t \n"));
  EXPECT_TRUE(has("NoNewPrivs:\t1\n"));
  EXPECT_TRUE(has("Seccomp:\t2\n"));
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    EXPECT_TRUE(has((std::string(set) + ":\t0000000000000000\n").c_str())) << set;
  }
  // Its root holds nothing, and its network namespace is not ours.
  EXPECT_NE(::access((proc + "/root/etc").c_str(), F_OK), 0);
  EXPECT_NE(::access((proc + "/root/proc").c_str(), F_OK), 0);
  const auto link = [](const std::string& path) {
    char target[128];
    const ssize_t n = ::readlink(path.c_str(), target, sizeof target);
    return std::string(target, static_cast<std::size_t>(n > 0 ? n : 0));
  };
  EXPECT_NE(link(proc + "/ns/net"), link("/proc/self/ns/net"));
  EXPECT_NE(link(proc + "/ns/mnt"), link("/proc/self/ns/mnt"));
  ::close(go[1]);
  int result = 0;
  ASSERT_EQ(::waitpid(child, &result, 0), child);
  EXPECT_TRUE(WIFEXITED(result) && WEXITSTATUS(result) == 0);
}

TEST_F(Confined, TheShippedFilterKillsWhoeverExecutes) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (!confine(plan_for_tests(OnForbidden::kKill))) ::_exit(2);
    char* const argv[] = {const_cast<char*>("/bin/true"), nullptr};
    ::execve("/bin/true", argv, nullptr);
    ::_exit(3);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) << status;
}

TEST(ResolveUser, NumbersAndNames) {
  const auto number = resolve_user("61801");
  ASSERT_TRUE(number);
  EXPECT_EQ(number->uid, 61801U);
  EXPECT_EQ(number->gid, 61801U);
  const auto nobody = resolve_user("nobody");
  ASSERT_TRUE(nobody);
  EXPECT_EQ(nobody->uid, 65534U);
  EXPECT_FALSE(resolve_user("root"));
  EXPECT_FALSE(resolve_user("0"));
  EXPECT_FALSE(resolve_user("no such user"));
  EXPECT_FALSE(resolve_user("61801x"));
}

}  // namespace
}  // namespace sandtrap::gate
