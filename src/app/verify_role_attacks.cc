// What a process confined as the gate, or as the scribe, tries to do; each attempt in a process of
// its own, for the gate's filter may end it.
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>

#include "app/verify_roles.h"
#include "gate/confinement.h"
#include "scribe/confine.h"

namespace sandtrap::app {
namespace {

using verify::Observation;

constexpr int kNotConfined = 255;  // as exit status; no errno is that large

struct Attempt {
  const char* check;
  const char* name;
  std::function<long()> call;  // as a system call answers
};

long failed(int error) {
  errno = error;
  return -1;
}

long open_path(const std::string& path, int flags) {
  return ::open(path.c_str(), flags, 0600);
}

long execute() {
  char* const arguments[] = {const_cast<char*>("/bin/true"), nullptr};
  return ::execve("/bin/true", arguments, arguments + 1);
}

long connect_unix(const std::string& path) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (path.size() >= sizeof to.sun_path) return failed(ENOENT);
  std::memcpy(to.sun_path, path.c_str(), path.size());
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (socket < 0) return -1;
  return ::connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof to);
}

// A socket from before the confinement, as the gate has its clients'.
int given_socket() {
  int ends[2] = {-1, -1};
  return ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 ? ends[0] : -1;
}

std::vector<Attempt> gate_attempts(const config::Settings& settings, int given) {
  const pid_t parent = ::getpid();
  const auto loopback = [](auto call) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(22);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return static_cast<long>(
        call(reinterpret_cast<const sockaddr*>(&to), static_cast<socklen_t>(sizeof to)));
  };
  const auto call = [](long number, auto... arguments) {
    return [=] { return ::syscall(number, arguments...); };
  };
  const std::string data = settings.data_dir + "/events.jsonl";
  return {
      {"gate-attack-open", "open /", [] { return open_path("/", O_RDONLY); }},
      {"gate-attack-open", "open /etc/passwd", [] { return open_path("/etc/passwd", O_RDONLY); }},
      {"gate-attack-open", "open /proc/self/maps",
       [] { return open_path("/proc/self/maps", O_RDONLY); }},
      {"gate-attack-open", "open the log", [data] { return open_path(data, O_RDONLY); }},
      {"gate-attack-open", "create a file", [] { return open_path("/x", O_CREAT | O_WRONLY); }},
      {"gate-attack-open", "memfd_create", call(SYS_memfd_create, "x", 0)},
      {"gate-attack-socket", "TCP", [] { return long{::socket(AF_INET, SOCK_STREAM, 0)}; }},
      {"gate-attack-socket", "unix", [] { return long{::socket(AF_UNIX, SOCK_STREAM, 0)}; }},
      {"gate-attack-socket", "packet", [] { return long{::socket(AF_PACKET, SOCK_RAW, 0)}; }},
      {"gate-attack-socket", "netlink", [] { return long{::socket(AF_NETLINK, SOCK_RAW, 0)}; }},
      {"gate-attack-connect", "connect",
       [=] { return loopback([=](auto* to, auto n) { return ::connect(given, to, n); }); }},
      {"gate-attack-connect", "bind",
       [=] { return loopback([=](auto* to, auto n) { return ::bind(given, to, n); }); }},
      {"gate-attack-connect", "sendto",
       [=] {
         return loopback([=](auto* to, auto n) { return ::sendto(given, "x", 1, 0, to, n); });
       }},
      {"gate-attack-execute", "execve", execute},
      {"gate-attack-execute", "execveat",
       call(SYS_execveat, 0, "", nullptr, nullptr, AT_EMPTY_PATH)},
      {"gate-attack-fork", "clone", call(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr)},
      {"gate-attack-fork", "a thread",
       call(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, nullptr, nullptr, nullptr,
            nullptr)},
      {"gate-attack-fork", "clone3", call(SYS_clone3, nullptr, 0)},
      {"gate-attack-trace", "ptrace",
       [=] { return ::ptrace(PTRACE_ATTACH, parent, nullptr, nullptr); }},
      {"gate-attack-trace", "process_vm_readv",
       call(SYS_process_vm_readv, parent, nullptr, 0, nullptr, 0, 0)},
      {"gate-attack-signal", "kill", [=] { return long{::kill(parent, 0)}; }},
      {"gate-attack-signal", "pidfd_open", call(SYS_pidfd_open, parent, 0)},
      {"gate-attack-mount", "mount",
       [] { return long{::mount("none", "/", "tmpfs", 0, nullptr)}; }},
      {"gate-attack-mount", "chroot", [] { return long{::chroot("/")}; }},
      {"gate-attack-mount", "pivot_root", call(SYS_pivot_root, ".", ".")},
      {"gate-attack-mount", "open_tree", call(SYS_open_tree, AT_FDCWD, "/", 1)},
      {"gate-attack-namespaces", "a user namespace", [] { return long{::unshare(CLONE_NEWUSER)}; }},
      {"gate-attack-namespaces", "setns", [] { return long{::setns(0, 0)}; }},
      {"gate-attack-identity", "setuid", call(SYS_setuid, 0)},
      {"gate-attack-identity", "setgroups", call(SYS_setgroups, 0, nullptr)},
      {"gate-attack-identity", "capset", call(SYS_capset, nullptr, nullptr)},
      {"gate-attack-kernel", "bpf", call(SYS_bpf, 0, nullptr, 0)},
      {"gate-attack-kernel", "perf_event_open", call(SYS_perf_event_open, nullptr, 0, -1, -1, 0)},
      {"gate-attack-kernel", "io_uring_setup", call(SYS_io_uring_setup, 1, nullptr)},
      {"gate-attack-kernel", "keyctl", call(SYS_keyctl, 0, 0, 0, 0, 0)},
      {"gate-attack-kernel", "userfaultfd", call(SYS_userfaultfd, 0)},
      {"gate-attack-kernel", "finit_module", call(SYS_finit_module, -1, "", 0)},
      {"gate-attack-executable-memory", "mmap",
       [] {
         const void* const memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         return memory == MAP_FAILED ? -1L : 0L;
       }},
      {"gate-attack-limits", "setrlimit",
       [] {
         const rlimit more{1 << 20, 1 << 20};
         return long{::setrlimit(RLIMIT_NOFILE, &more)};
       }},
  };
}

std::vector<Attempt> scribe_attempts(const config::Settings& settings) {
  const pid_t parent = ::getpid();
  const auto reads = [](std::string path) {
    return [path = std::move(path)] { return open_path(path, O_RDONLY); };
  };
  const auto writes = [](std::string path, int flags = 0) {
    return [path = std::move(path), flags] { return open_path(path, O_WRONLY | flags); };
  };
  const std::string keys = settings.server.host_key_dir;
  const auto& socket = settings.docker.socket;
  return {
      {"scribe-attack-root", "setuid", [] { return long{::setuid(0)}; }},
      {"scribe-attack-root", "setgid", [] { return long{::setgid(0)}; }},
      {"scribe-attack-root", "setgroups", [] { return long{::setgroups(0, nullptr)}; }},
      {"scribe-attack-root", "a setuid program",
       [] { return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? failed(EPERM) : 0L; }},
      {"scribe-attack-read", "/etc/shadow", reads("/etc/shadow")},
      {"scribe-attack-read", "a host key", reads(keys + "/ssh_host_ed25519_key")},
      {"scribe-attack-read", "sandboxes", reads(settings.data_dir + "/sandboxes")},
      {"scribe-attack-read", "the engine's socket", [socket] { return connect_unix(socket); }},
      {"scribe-attack-read", "the memory of its parent",
       reads(fmt::format("/proc/{}/mem", parent))},
      {"scribe-attack-write", "/etc", writes("/etc/sandtrap-verify", O_CREAT | O_EXCL)},
      {"scribe-attack-write", "/usr/bin", writes("/usr/bin/sandtrap-verify", O_CREAT | O_EXCL)},
      {"scribe-attack-write", "/etc/passwd", writes("/etc/passwd")},
      {"scribe-attack-write", "core_pattern", writes("/proc/sys/kernel/core_pattern")},
      {"scribe-attack-write", "a host key", writes(keys + "/ssh_host_ed25519_key")},
      {"scribe-attack-write", "the run folder",
       writes(settings.run_dir + "/scribe-was-here", O_CREAT | O_EXCL)},
      {"scribe-attack-trace", "ptrace",
       [=] { return ::ptrace(PTRACE_ATTACH, parent, nullptr, nullptr); }},
      {"scribe-attack-trace", "a signal to its parent", [=] { return long{::kill(parent, 0)}; }},
      {"scribe-attack-trace", "a signal to process 1", [] { return long{::kill(1, 0)}; }},
      {"scribe-attack-mount", "mount",
       [] { return long{::mount("none", "/mnt", "tmpfs", 0, nullptr)}; }},
      {"scribe-attack-mount", "chroot", [] { return long{::chroot("/")}; }},
      {"scribe-attack-mount", "a mount namespace", [] { return long{::unshare(CLONE_NEWNS)}; }},
      {"scribe-attack-mount", "mknod",
       [] { return long{::mknod("/tmp/.sandtrap-verify", S_IFBLK | 0600, 0x800)}; }},
      {"scribe-attack-network", "raw",
       [] { return long{::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)}; }},
      {"scribe-attack-network", "packet", [] { return long{::socket(AF_PACKET, SOCK_RAW, 0)}; }},
  };
}

bool is_refusal(int error) {
  return error == EPERM || error == EACCES || error == ENOSYS || error == EROFS || error == ENOENT;
}

void make(const Attempt& attempt, const std::function<bool()>& confine,
          verify::Observations& into) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!confine()) ::_exit(kNotConfined);
    ::_exit(attempt.call() < 0 ? errno : 0);
  }
  int status = 0;
  if (child > 0) ::waitpid(child, &status, 0);
  const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  Observation& all = into[attempt.check];
  const bool settled = all.kind == Observation::Kind::kDone || all.number < 0;
  if (settled) return;  // one that works, or cannot be made, decides
  if (child < 0 || code == kNotConfined) {
    all.kind = Observation::Kind::kCannot;
    all.number = -1;
    all.detail = child < 0 ? "fork" : "the confinement could not be made";
  } else if (killed || is_refusal(code)) {
    all.kind = Observation::Kind::kRefused;
    ++all.number;
    all.detail = fmt::format("{} attempts", all.number);
  } else {
    all.kind = Observation::Kind::kDone;
    all.detail = code > 0 ? fmt::format("{}: only its arguments were refused ({})", attempt.name,
                                        std::strerror(code))
                          : std::string(attempt.name);
  }
}

}  // namespace

verify::Observations attack_roles(const config::Settings& settings) {
  verify::Observations out;
  const int given = given_socket();
  const auto identity = gate::resolve_user(settings.server.gate_user);
  const auto as_gate = [&] {
    gate::ConfinementPlan plan;
    if (!identity) return false;
    plan.identity = *identity;
    plan.run_dir = settings.run_dir;
    plan.max_descriptors = 256;
    return gate::confine(plan).has_value();
  };
  for (const Attempt& one : gate_attempts(settings, given)) make(one, as_gate, out);
  const auto as_scribe = [&] {
    return scribe::drop_privileges(settings.server.scribe_user).has_value();
  };
  for (const Attempt& one : scribe_attempts(settings)) make(one, as_scribe, out);
  ::close(given);
  return out;
}

}  // namespace sandtrap::app
