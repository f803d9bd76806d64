// Up to each limit and one step over it. What it costs the host is watched from there meanwhile.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"

enum { kHoldMilliseconds = 300, kMebi = 1 << 20 };

static void rest(long milliseconds) {
  const struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static volatile long long* shared_number(void) {
  void* page =
      mmap(NULL, sizeof(long long), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return page == MAP_FAILED ? NULL : page;
}

// The kernel's killer takes this process before any other of the sandbox.
static void volunteer(void) {
  const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  const ssize_t ignored = write(file, "1000", 4);
  (void)ignored;
  close(file);
}

static struct outcome processes(const struct params* p) {
  if (p->pids <= 0) return cannot(0, "no limit was given");
  long long count = 0;
  int error = 0;
  for (; count < p->pids + 64; ++count) {
    const pid_t child = fork();
    if (child == 0) {
      pause();
      _exit(0);
    }
    if (child < 0) {
      error = errno;
      break;
    }
  }
  rest(kHoldMilliseconds);
  // The group is killed when this ends: what is reported is what was held.
  return value(count, "%lld forks, then %s", count, error != 0 ? strerror(error) : "no refusal");
}

static struct outcome memory(const struct params* p) {
  volatile long long* taken = shared_number();
  if (taken == NULL || p->memory <= 0) return cannot(errno, "shared memory");
  const long long most = p->memory + 64LL * kMebi;
  if (most > p->bound) return cannot(0, "the host cannot spare %lld MiB", most / kMebi);
  const pid_t child = fork();
  if (child < 0) return cannot(errno, "fork");
  if (child == 0) {
    volunteer();
    while (*taken < most) {
      char* part =
          mmap(NULL, 4 * kMebi, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (part == MAP_FAILED) _exit(1);
      for (size_t i = 0; i < 4 * kMebi; i += 4096) {
        part[i] = (char)(i / 4096 + 1);
        *taken += 4096;
      }
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return value(*taken, "%lld MiB, then %s", *taken / kMebi,
               WIFSIGNALED(status) ? "killed" : "no end");
}

static struct outcome shared_memory_files(const struct params* p) {
  volatile long long* taken = shared_number();
  if (taken == NULL) return cannot(errno, "shared memory");
  const long long most = p->memory + 64LL * kMebi;
  if (most > p->bound) return cannot(0, "the host cannot spare %lld MiB", most / kMebi);
  const char* const path = "/dev/shm/.fill";
  const pid_t child = fork();
  if (child < 0) return cannot(errno, "fork");
  if (child == 0) {
    volunteer();
    static char block[kMebi];
    memset(block, 1, sizeof block);
    const int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ssize_t put = 0;
    while (file >= 0 && *taken < most && (put = write(file, block, sizeof block)) > 0)
      *taken += put;
    _exit(file < 0 ? 1 : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  unlink(path);
  return value(*taken, "%lld MiB in /dev/shm", *taken / kMebi);
}

static struct outcome processor(const struct params* p) {
  (void)p;
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  const double begin = now(), end = begin + 1.5;
  for (long i = 0; i < cores * 2 && i < 64; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      while (now() < end) {
      }
      _exit(0);
    }
    if (child < 0) break;
  }
  while (wait(NULL) > 0 || errno == EINTR) {
  }
  const double wall = now() - begin;
  struct rusage used;
  getrusage(RUSAGE_CHILDREN, &used);
  const double spent = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  return value((long long)(spent / wall * 1000), "%.2f s of processor time in %.2f s", spent, wall);
}

static struct outcome descriptors(const struct params* p) {
  long long count = 3;
  int error = 0;
  for (; count < p->open_files + 64; ++count) {
    if (dup(0) >= 0) continue;
    error = errno;
    break;
  }
  return value(count, "%lld descriptors, then %s", count,
               error != 0 ? strerror(error) : "no refusal");
}

static struct outcome raise_limits(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  const struct {
    const char* name;
    int which;
  } limits[] = {{"RLIMIT_NOFILE", RLIMIT_NOFILE},
                {"RLIMIT_FSIZE", RLIMIT_FSIZE},
                {"RLIMIT_CORE", RLIMIT_CORE}};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; ++i) {
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)limits[i].which, &limit) != 0)
      return cannot(errno, "getrlimit");
    long result = 0;  // unlimited: nothing is left to raise
    if (limit.rlim_max != RLIM_INFINITY) {
      ++limit.rlim_max;
      result = setrlimit((__rlimit_resource_t)limits[i].which, &limit);
    }
    attempt(&all, limits[i].name, result);
  }
  return verdict(&all);
}

static struct outcome core_files(const struct params* p) {
  (void)p;
  struct rlimit limit;
  if (getrlimit(RLIMIT_CORE, &limit) != 0) return cannot(errno, "getrlimit");
  const bool endless = limit.rlim_max == RLIM_INFINITY;
  return value(endless ? 1LL << 62 : (long long)limit.rlim_max, "core files of %s bytes",
               endless               ? "any number of"
               : limit.rlim_max <= 1 ? "0 or 1"
                                     : "some");
}

static struct outcome terminals(const struct params* p) {
  (void)p;
  volatile long long* opened = shared_number();
  if (opened == NULL) return cannot(errno, "shared memory");
  for (int i = 0; i < 6; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      while (*opened < 6000 && open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC) >= 0)
        __sync_fetch_and_add(opened, 1);
      pause();
    }
  }
  long long last = -1;
  while (*opened != last) {
    last = *opened;
    rest(100);
  }
  rest(kHoldMilliseconds);
  return value(*opened, "%lld terminals held", *opened);
}

static struct outcome priority(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  attempt(&all, "nice -20", setpriority(PRIO_PROCESS, 0, -20));
  const struct sched_param fifo = {.sched_priority = 1};
  attempt(&all, "SCHED_FIFO", sched_setscheduler(0, SCHED_FIFO, &fifo));
  attempt(&all, "real-time I/O priority", syscall(SYS_ioprio_set, 1, 0, 1 << 13));
  const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  attempt(&all, "oom_score_adj -1000", file < 0 ? -1 : (long)write(file, "-1000", 5));
  return verdict(&all);
}

const struct check kLimitChecks[] = {
    {"limit-processes", processes, 30},     {"limit-memory", memory, 60},
    {"limit-shm", shared_memory_files, 60}, {"limit-cpu", processor, 20},
    {"limit-descriptors", descriptors, 10}, {"limit-raise", raise_limits, 5},
    {"limit-core", core_files, 5},          {"limit-terminals", terminals, 20},
    {"limit-priority", priority, 5},        {NULL, NULL, 0}};
