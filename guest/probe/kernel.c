// System calls that reach the machine itself. Arguments are such that the kernel would refuse them
// with another error than a refusal of the call, so nothing happens even where nothing holds.
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <sys/io.h>
#endif

#include "probe.h"

static struct outcome modules(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  attempt(&all, "init_module", syscall(SYS_init_module, NULL, 0, ""));
  attempt(&all, "finit_module", syscall(SYS_finit_module, -1, "", 0));
  // A name that no module has.
  const long gone = syscall(SYS_delete_module, "sandtrap_no_such", O_NONBLOCK);
  if (gone < 0 && errno == ENOENT) errno = EINVAL;  // it was looked for
  attempt(&all, "delete_module", gone);
  return verdict(&all);
}

static struct outcome kexec(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  attempt(&all, "kexec_load", syscall(SYS_kexec_load, 0, 1000, NULL, 0xffff));
#ifdef SYS_kexec_file_load
  attempt(&all, "kexec_file_load", syscall(SYS_kexec_file_load, -1, -1, 0, NULL, 0xffff));
#endif
  attempt(&all, "reboot", syscall(SYS_reboot, 0, 0, 0, NULL));
  return verdict(&all);
}

static struct outcome bpf(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  union bpf_attr map = {
      .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
  attempt(&all, "creating a map", syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map));
  union bpf_attr program = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER};
  attempt(&all, "loading a program", syscall(SYS_bpf, BPF_PROG_LOAD, &program, sizeof program));
  return verdict(&all);
}

static struct outcome perf(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE,
                                  .size = sizeof event,
                                  .config = PERF_COUNT_SW_TASK_CLOCK,
                                  .exclude_kernel = 1};
  attempt(&all, "counting oneself", syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
  attempt(&all, "counting processor 0", syscall(SYS_perf_event_open, &event, -1, 0, -1, 0));
  return verdict(&all);
}

static struct outcome keys(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  attempt(&all, "keyctl", syscall(SYS_keyctl, 0, -3, 1));
  attempt(&all, "add_key", syscall(SYS_add_key, "user", "sandtrap", "x", 1, -2));
  attempt(&all, "request_key", syscall(SYS_request_key, NULL, NULL, NULL, 0));
  return verdict(&all);
}

static struct outcome userfaultfd(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  attempt(&all, "userfaultfd", syscall(SYS_userfaultfd, O_CLOEXEC));
  attempt(&all, "userfaultfd of user mode", syscall(SYS_userfaultfd, O_CLOEXEC | 1));
  return verdict(&all);
}

static struct outcome io_uring(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  char parameters[120] = {0};
  attempt(&all, "io_uring_setup", syscall(425, 8, parameters));
  attempt(&all, "io_uring_enter", syscall(426, -1, 0, 0, 0, NULL, 0));
  attempt(&all, "io_uring_register", syscall(427, -1, 0, NULL, 0));
  return verdict(&all);
}

// From a handle of our own root to inode 2 of its file system, which is the host's in a container
// whose root is a folder of the host.
static struct outcome file_handles(const struct params* p) {
  (void)p;
  union {
    struct file_handle handle;
    char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
  } root = {.handle = {.handle_bytes = 8, .handle_type = 1}};
  const unsigned wanted[2] = {2, 0};
  memcpy(root.handle.f_handle, wanted, sizeof wanted);
  const char* const places[] = {"/", "/etc/hosts", "/etc/resolv.conf", "/dev", "/tmp"};
  struct attempts all = {0};
  for (size_t i = 0; i < sizeof places / sizeof *places; ++i) {
    const int base = open(places[i], O_RDONLY | O_CLOEXEC);
    attempt(&all, places[i],
            base < 0 ? -1 : syscall(SYS_open_by_handle_at, base, &root.handle, O_RDONLY));
  }
  return verdict(&all);
}

static struct outcome clocks(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  const struct timespec bad = {0, -1};
  attempt(&all, "clock_settime", syscall(SYS_clock_settime, CLOCK_REALTIME, &bad));
  // Zeroes: not a second is moved.
  struct timex change = {.modes = ADJ_OFFSET_SINGLESHOT};
  attempt(&all, "adjtimex", adjtimex(&change));
  const struct timeval wrong = {0, -1};
  attempt(&all, "settimeofday", syscall(SYS_settimeofday, &wrong, NULL));
  return verdict(&all);
}

static struct outcome rare_calls(const struct params* p) {
  (void)p;
  struct attempts all = {0};
#if defined(__x86_64__)
  attempt(&all, "iopl", iopl(3));
  attempt(&all, "ioperm", ioperm(0x80, 1, 1));
  attempt(&all, "modify_ldt", syscall(SYS_modify_ldt, 0, NULL, 0));
#endif
  attempt(&all, "acct", syscall(SYS_acct, ""));
  attempt(&all, "quotactl", syscall(SYS_quotactl, -1, NULL, 0, NULL));
  attempt(&all, "swapon", syscall(SYS_swapon, NULL, 0));
  attempt(&all, "swapoff", syscall(SYS_swapoff, NULL));
  attempt(&all, "fanotify_init", syscall(SYS_fanotify_init, 0, 0));
  attempt(&all, "syslog", syscall(SYS_syslog, 10, NULL, 0));
  attempt(&all, "vhangup", syscall(SYS_vhangup));
  attempt(&all, "personality", syscall(SYS_personality, 0x0400000));
  attempt(&all, "pidfd_getfd", syscall(438, -1, 0, 0));
  attempt(&all, "move_pages", syscall(SYS_move_pages, 0, 0, NULL, NULL, NULL, 0));
  attempt(&all, "clone3", syscall(435, NULL, 0));
  return verdict(&all);
}

// The numbers of a process of the host: there must be no such process here.
static struct outcome processes_outside(const struct params* p) {
  if (p->host_pid <= 0) return cannot(0, "the host gave no process");
  const pid_t pid = (pid_t)p->host_pid;
  char path[64], command[64];
  snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
  if (read_text(path, command, sizeof command) > 0) {
    command[strcspn(command, "\n")] = '\0';
    if (strcmp(command, p->host_command[0]) == 0)
      return done("process %d is %s", (int)pid, command);
    return denied(ESRCH, "the number is another process's in here");
  }
  struct attempts all = {0};
  char byte = 0;
  const struct iovec here = {&byte, 1}, there = {(void*)4096, 1};
  attempt(&all, "ptrace", ptrace(PTRACE_ATTACH, pid, NULL, NULL));
  attempt(&all, "process_vm_readv", syscall(SYS_process_vm_readv, pid, &here, 1, &there, 1, 0));
  attempt(&all, "kill", syscall(SYS_kill, pid, 0));
  attempt(&all, "pidfd_open", syscall(434, pid, 0));
  return verdict(&all);
}

const struct check kKernelChecks[] = {{"kernel-modules", modules, 5},
                                      {"kernel-kexec", kexec, 5},
                                      {"kernel-bpf", bpf, 5},
                                      {"kernel-perf", perf, 5},
                                      {"kernel-keys", keys, 5},
                                      {"kernel-userfaultfd", userfaultfd, 5},
                                      {"kernel-io-uring", io_uring, 5},
                                      {"kernel-file-handles", file_handles, 5},
                                      {"kernel-clocks", clocks, 5},
                                      {"kernel-rare-calls", rare_calls, 5},
                                      {"process-outside", processes_outside, 5},
                                      {NULL, NULL, 0}};
