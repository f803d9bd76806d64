#include "sandbox/seccomp_profile.h"

#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/json.hpp>
#include <cerrno>

namespace sandtrap::sandbox {
namespace {

// Grouped by what they touch; the order means nothing to the kernel.
constexpr std::string_view kAllowed[] = {
    // files
    "access", "chdir", "chmod", "chown", "chown32", "close", "close_range", "copy_file_range",
    "creat", "dup", "dup2", "dup3", "faccessat", "faccessat2", "fadvise64", "fadvise64_64",
    "fallocate", "fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchown32", "fchownat",
    "fcntl", "fcntl64", "fdatasync", "fgetxattr", "flistxattr", "flock", "fremovexattr",
    "fsetxattr", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate",
    "ftruncate64", "futimesat", "getcwd", "getdents", "getdents64", "getxattr", "ioctl", "lchown",
    "lchown32", "lgetxattr", "link", "linkat", "listxattr", "llistxattr", "_llseek", "lremovexattr",
    "lseek", "lsetxattr", "lstat", "lstat64", "mkdir", "mkdirat", "mknod", "mknodat",
    "name_to_handle_at", "newfstatat", "_newselect", "open", "openat", "openat2", "pipe", "pipe2",
    "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readahead",
    "readlink", "readlinkat", "readv", "removexattr", "rename", "renameat", "renameat2", "rmdir",
    "sendfile", "sendfile64", "setxattr", "splice", "stat", "stat64", "statfs", "statfs64", "statx",
    "symlink", "symlinkat", "sync", "sync_file_range", "syncfs", "tee", "truncate", "truncate64",
    "ugetrlimit", "umask", "unlink", "unlinkat", "utime", "utimensat", "utimensat_time64", "utimes",
    "vmsplice", "write", "writev", "chroot",
    // waiting
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait", "epoll_pwait2",
    "epoll_wait", "epoll_wait_old", "eventfd", "eventfd2", "inotify_add_watch", "inotify_init",
    "inotify_init1", "inotify_rm_watch", "io_cancel", "io_destroy", "io_getevents", "io_pgetevents",
    "io_pgetevents_time64", "io_setup", "io_submit", "poll", "ppoll", "ppoll_time64", "pselect6",
    "pselect6_time64", "select", "signalfd", "signalfd4", "timerfd_create", "timerfd_gettime",
    "timerfd_gettime64", "timerfd_settime", "timerfd_settime64",
    // memory
    "brk", "get_mempolicy", "madvise", "membarrier", "memfd_create", "mincore", "mlock", "mlock2",
    "mlockall", "mmap", "mmap2", "mprotect", "mremap", "msync", "munlock", "munlockall", "munmap",
    "pkey_alloc", "pkey_free", "pkey_mprotect", "remap_file_pages", "shmat", "shmctl", "shmdt",
    "shmget",
    // processes and threads
    "arch_prctl", "capget", "capset", "execve", "execveat", "exit", "exit_group", "fork", "futex",
    "futex_time64", "futex_waitv", "get_robust_list", "get_thread_area", "getcpu", "getegid",
    "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getgroups", "getgroups32",
    "getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getresgid", "getresgid32",
    "getresuid", "getresuid32", "getrlimit", "getrusage", "getsid", "gettid", "getuid", "getuid32",
    "ioprio_get", "ioprio_set", "kcmp", "kill", "landlock_add_rule", "landlock_create_ruleset",
    "landlock_restrict_self", "nice", "pause", "pidfd_open", "pidfd_send_signal", "prctl",
    "prlimit64", "process_vm_readv", "process_vm_writev", "ptrace", "restart_syscall", "rseq",
    "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity", "sched_getattr",
    "sched_getparam", "sched_getscheduler", "sched_rr_get_interval", "sched_rr_get_interval_time64",
    "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler", "sched_yield",
    "seccomp", "set_robust_list", "set_thread_area", "set_tid_address", "setfsgid", "setfsgid32",
    "setfsuid", "setfsuid32", "setgid", "setgid32", "setgroups", "setgroups32", "setpgid",
    "setpriority", "setregid", "setregid32", "setresgid", "setresgid32", "setresuid", "setresuid32",
    "setreuid", "setreuid32", "setrlimit", "setsid", "setuid", "setuid32", "vfork", "wait4",
    "waitid", "waitpid",
    // signals
    "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn",
    "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64", "rt_tgsigqueueinfo", "sigaction",
    "sigaltstack", "signal", "sigpending", "sigprocmask", "sigreturn", "sigsuspend", "tgkill",
    "tkill",
    // time
    "adjtimex", "alarm", "clock_adjtime", "clock_adjtime64", "clock_getres", "clock_getres_time64",
    "clock_gettime", "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64", "getitimer",
    "gettimeofday", "nanosleep", "setitimer", "time", "timer_create", "timer_delete",
    "timer_getoverrun", "timer_gettime", "timer_gettime64", "timer_settime", "timer_settime64",
    "times",
    // System V and POSIX queues, semaphores
    "ipc", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedreceive_time64",
    "mq_timedsend", "mq_timedsend_time64", "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd",
    "semctl", "semget", "semop", "semtimedop", "semtimedop_time64",
    // sockets, once made (making them: below)
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen",
    "recv", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg", "send", "sendmmsg", "sendmsg",
    "sendto", "setsockopt", "shutdown", "socketpair",
    // the machine
    "getrandom", "oldolduname", "olduname", "sysinfo", "uname"};

// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. CLONE_NEWTIME shares its bit
// with clone(2)'s exit signal and exists for unshare and clone3 alone, which are not allowed.
constexpr std::uint64_t kCloneNamespaces = 0x7E020000;

SeccompArgument equals(std::uint32_t index, std::uint64_t value) {
  return {index, SeccompOperator::kEqual, value, 0};
}

SeccompRule socket_rule(int family, int protocol, int error) {
  return {{"socket"},
          error,
          {equals(0, static_cast<std::uint64_t>(family)),
           equals(2, static_cast<std::uint64_t>(protocol))}};
}

// Families and protocols that can do no harm without a device or a capability. Others load kernel
// modules on demand (SCTP, DCCP, CAN …) or reach outside the network namespace (AF_VSOCK, AF_ALG).
// Few rules on purpose: runc compiles the list at each exec, and each conditional rule costs it
// 0.2 ms.
void add_socket_rules(std::vector<SeccompRule>& rules) {
  rules.push_back({{"socket"}, 0, {equals(0, AF_UNIX)}});
  for (const int protocol : {IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP})
    rules.push_back(socket_rule(AF_INET, protocol, 0));
  for (const int protocol :
       {int{IPPROTO_IP}, int{IPPROTO_TCP}, int{IPPROTO_UDP}, int{IPPROTO_ICMPV6}})
    rules.push_back(socket_rule(AF_INET6, protocol, 0));
  for (const int protocol : {NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_KOBJECT_UEVENT})
    rules.push_back(socket_rule(AF_NETLINK, protocol, 0));
  // As on a kernel without audit: for any other answer PAM and useradd give up.
  rules.push_back(socket_rule(AF_NETLINK, NETLINK_AUDIT, EPROTONOSUPPORT));
}

}  // namespace

SeccompProfile seccomp_profile() {
  SeccompProfile profile;
  profile.default_error = EPERM;
#if defined(__aarch64__)
  profile.architectures = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#else
  profile.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"};
#endif
  auto& rules = profile.rules;
  // i386's multiplexer hides a socket's family in memory, and libseccomp would allow it whole for
  // the sake of the rules for socket below, unless it is refused first. 32-bit programs make
  // sockets by socket(2), as C libraries have done since Linux 4.3.
  rules.push_back({{"socketcall"}, ENOSYS, {}});
  rules.push_back({{std::begin(kAllowed), std::end(kAllowed)}, 0, {}});
  rules.push_back({{"clone"}, 0, {{0, SeccompOperator::kMaskedEqual, kCloneNamespaces, 0}}});
  // clone3 takes its flags in memory: without it the C library falls back to clone.
  rules.push_back(
      {{"clone3", "io_uring_setup", "io_uring_enter", "io_uring_register"}, ENOSYS, {}});
  // Linux, Linux with 32-bit or BSD habits, and "tell me": no READ_IMPLIES_EXEC, no odd ABIs.
  for (const std::uint64_t persona : {0x0ULL, 0x8ULL, 0x20000ULL, 0x20008ULL, 0xffffffffULL})
    rules.push_back({{"personality"}, 0, {equals(0, persona)}});
  add_socket_rules(rules);
  return profile;
}

boost::json::object seccomp_object(const SeccompProfile& profile) {
  namespace json = boost::json;
  json::array architectures, rules;
  for (const auto name : profile.architectures) architectures.emplace_back(name);
  for (const SeccompRule& rule : profile.rules) {
    json::object entry;
    json::array names;
    for (const auto name : rule.names) names.emplace_back(name);
    entry["names"] = std::move(names);
    entry["action"] = rule.error == 0 ? "SCMP_ACT_ALLOW" : "SCMP_ACT_ERRNO";
    if (rule.error != 0) entry["errnoRet"] = rule.error;
    if (!rule.args.empty()) {
      json::array args;
      for (const SeccompArgument& arg : rule.args) {
        json::object one;
        one["index"] = arg.index;
        one["value"] = arg.value;
        one["valueTwo"] = arg.value_two;
        one["op"] = arg.op == SeccompOperator::kEqual ? "SCMP_CMP_EQ" : "SCMP_CMP_MASKED_EQ";
        args.emplace_back(std::move(one));
      }
      entry["args"] = std::move(args);
    }
    rules.emplace_back(std::move(entry));
  }
  json::object root;
  root["defaultAction"] = "SCMP_ACT_ERRNO";
  root["defaultErrnoRet"] = profile.default_error;
  root["architectures"] = std::move(architectures);
  root["syscalls"] = std::move(rules);
  return root;
}

std::string seccomp_json(const SeccompProfile& profile) {
  return boost::json::serialize(seccomp_object(profile));
}

}  // namespace sandtrap::sandbox
