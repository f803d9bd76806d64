#include "gate/seccomp_filter.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>
#include <memory>
#include <type_traits>

namespace sandtrap::gate {
namespace {

// Allowed with any arguments.
constexpr int kAllowed[] = {SCMP_SYS(read),
                            SCMP_SYS(write),
                            SCMP_SYS(readv),
                            SCMP_SYS(writev),
                            SCMP_SYS(close),
                            SCMP_SYS(lseek),
                            SCMP_SYS(fstat),
                            SCMP_SYS(shutdown),
                            SCMP_SYS(accept4),
                            SCMP_SYS(recvfrom),
                            SCMP_SYS(recvmsg),
                            SCMP_SYS(sendmsg),
                            SCMP_SYS(getsockname),
                            SCMP_SYS(getpeername),
                            SCMP_SYS(epoll_wait),
                            SCMP_SYS(epoll_pwait),
                            SCMP_SYS(epoll_pwait2),
                            SCMP_SYS(epoll_ctl),
                            SCMP_SYS(timerfd_settime),
                            SCMP_SYS(timerfd_gettime),
                            SCMP_SYS(munmap),
                            SCMP_SYS(mremap),
                            SCMP_SYS(brk),
                            SCMP_SYS(madvise),
                            SCMP_SYS(futex),
                            SCMP_SYS(sched_yield),
                            SCMP_SYS(clock_gettime),
                            SCMP_SYS(clock_getres),
                            SCMP_SYS(gettimeofday),
                            SCMP_SYS(time),
                            SCMP_SYS(getrandom),
                            SCMP_SYS(getpid),
                            SCMP_SYS(gettid),
                            SCMP_SYS(rt_sigreturn),
                            SCMP_SYS(rt_sigprocmask),
                            SCMP_SYS(restart_syscall),
                            SCMP_SYS(exit),
                            SCMP_SYS(exit_group)};

// Never called by a library on a whim: whoever calls them has taken over the process.
constexpr int kForbidden[] = {SCMP_SYS(execve),
                              SCMP_SYS(execveat),
                              SCMP_SYS(fork),
                              SCMP_SYS(vfork),
                              SCMP_SYS(clone),
                              SCMP_SYS(clone3),
                              SCMP_SYS(ptrace),
                              SCMP_SYS(process_vm_readv),
                              SCMP_SYS(process_vm_writev),
                              SCMP_SYS(process_madvise),
                              SCMP_SYS(pidfd_open),
                              SCMP_SYS(pidfd_getfd),
                              SCMP_SYS(kcmp),
                              SCMP_SYS(mount),
                              SCMP_SYS(umount2),
                              SCMP_SYS(pivot_root),
                              SCMP_SYS(chroot),
                              SCMP_SYS(move_mount),
                              SCMP_SYS(open_tree),
                              SCMP_SYS(fsopen),
                              SCMP_SYS(fsmount),
                              SCMP_SYS(mount_setattr),
                              SCMP_SYS(setns),
                              SCMP_SYS(unshare),
                              SCMP_SYS(bpf),
                              SCMP_SYS(perf_event_open),
                              SCMP_SYS(io_uring_setup),
                              SCMP_SYS(userfaultfd),
                              SCMP_SYS(init_module),
                              SCMP_SYS(finit_module),
                              SCMP_SYS(delete_module),
                              SCMP_SYS(kexec_load),
                              SCMP_SYS(kexec_file_load),
                              SCMP_SYS(keyctl),
                              SCMP_SYS(add_key),
                              SCMP_SYS(request_key),
                              SCMP_SYS(capset),
                              SCMP_SYS(setuid),
                              SCMP_SYS(setgid),
                              SCMP_SYS(setresuid),
                              SCMP_SYS(setresgid),
                              SCMP_SYS(setgroups),
                              SCMP_SYS(personality),
                              SCMP_SYS(modify_ldt),
                              SCMP_SYS(iopl),
                              SCMP_SYS(ioperm),
                              SCMP_SYS(open_by_handle_at),
                              SCMP_SYS(name_to_handle_at)};

class Builder {
 public:
  explicit Builder(scmp_filter_ctx context) : context_(context) {}

  void attribute(scmp_filter_attr name, std::uint32_t value) {
    note(seccomp_attr_set(context_, name, value));
  }
  void rule(std::uint32_t action, int call, std::initializer_list<scmp_arg_cmp> arguments = {}) {
    note(seccomp_rule_add_array(context_, action, call, static_cast<unsigned>(arguments.size()),
                                arguments.begin()));
  }
  void allow(int call, std::initializer_list<scmp_arg_cmp> arguments = {}) {
    rule(SCMP_ACT_ALLOW, call, arguments);
  }
  void load() { note(seccomp_load(context_)); }
  int error() const { return error_; }

 private:
  void note(int result) {
    // EDOM: a call that this architecture does not have; EACCES is never expected.
    if (result < 0 && result != -EDOM && error_ == 0) error_ = -result;
  }
  scmp_filter_ctx context_;
  int error_ = 0;
};

scmp_arg_cmp equal(unsigned argument, std::uint64_t value) {
  return {argument, SCMP_CMP_EQ, value, 0};
}
scmp_arg_cmp masked(unsigned argument, std::uint64_t mask, std::uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

void allow_with_arguments(Builder& filter) {
  // Memory, but never executable memory.
  filter.allow(SCMP_SYS(mmap), {masked(2, PROT_EXEC, 0)});
  filter.allow(SCMP_SYS(mprotect), {masked(2, PROT_EXEC, 0)});
  // send(2) on a connected socket; no destination, hence no MSG_FASTOPEN connect either.
  filter.allow(SCMP_SYS(sendto), {equal(4, 0)});
  // glibc's fstat() of an open descriptor; never a path.
  filter.allow(SCMP_SYS(newfstatat), {masked(3, AT_EMPTY_PATH, AT_EMPTY_PATH)});
  for (const std::uint64_t request : {FIONBIO, FIONREAD}) {
    filter.allow(SCMP_SYS(ioctl), {equal(1, request)});
  }
  // Not F_SETFL: it takes O_APPEND away, and what is already in the log could be written over.
  for (const int command : {F_GETFL, F_GETFD, F_SETFD, F_DUPFD_CLOEXEC}) {
    filter.allow(SCMP_SYS(fcntl), {equal(1, static_cast<std::uint64_t>(command))});
  }
  struct Option {
    int level, name;
  };
  for (const Option& option : {Option{SOL_SOCKET, SO_KEEPALIVE}, Option{IPPROTO_TCP, TCP_NODELAY},
                               Option{IPPROTO_TCP, TCP_SAVE_SYN}, Option{IPPROTO_IP, IP_TOS},
                               Option{IPPROTO_IPV6, IPV6_TCLASS}}) {
    filter.allow(SCMP_SYS(setsockopt), {equal(1, static_cast<std::uint64_t>(option.level)),
                                        equal(2, static_cast<std::uint64_t>(option.name))});
  }
  // What the kernel knows of a client's TCP: its SYN, and how many segments came and went.
  for (const Option& option : {Option{SOL_SOCKET, SO_ERROR}, Option{IPPROTO_TCP, TCP_SAVED_SYN},
                               Option{IPPROTO_TCP, TCP_INFO}}) {
    filter.allow(SCMP_SYS(getsockopt), {equal(1, static_cast<std::uint64_t>(option.level)),
                                        equal(2, static_cast<std::uint64_t>(option.name))});
  }
  // abort(): a signal to ourselves, so that a failed CHECK dies as SIGABRT.
  filter.allow(SCMP_SYS(tgkill), {equal(0, static_cast<std::uint64_t>(::getpid()))});
}

}  // namespace

base::Status install_seccomp_filter(OnForbidden on_forbidden) {
  const std::unique_ptr<void, void (*)(void*)> context(seccomp_init(SCMP_ACT_ERRNO(EPERM)),
                                                       seccomp_release);
  if (!context) return base::fail(base::Errc::kUnsupported, "seccomp_init failed");
  Builder filter(context.get());
  filter.attribute(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  filter.attribute(SCMP_FLTATR_CTL_NNP, 1);
  filter.attribute(SCMP_FLTATR_CTL_LOG, 1);
  filter.attribute(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree: the list is long
  for (const int call : kAllowed) filter.allow(call);
#if defined(__SANITIZE_ADDRESS__)
  // The sanitizers' runtime learns through a pipe whether an address may be read.
  filter.allow(SCMP_SYS(pipe));
  filter.allow(SCMP_SYS(pipe2));
  filter.allow(SCMP_SYS(sigaltstack));
#endif
  allow_with_arguments(filter);
  if (on_forbidden == OnForbidden::kKill) {
    for (const int call : kForbidden) filter.rule(SCMP_ACT_KILL_PROCESS, call);
  }
  if (filter.error() == 0) filter.load();
  if (filter.error() != 0) return base::fail_errno("install the seccomp filter", filter.error());
  return {};
}

}  // namespace sandtrap::gate
