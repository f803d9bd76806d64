// What the kernel's files tell about the host and about us.
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "probe.h"

static struct outcome kernel_addresses(const struct params* p) {
  (void)p;
  char text[4096];
  if (read_text("/proc/kallsyms", text, sizeof text) <= 0) return denied(errno, "not readable");
  for (char* line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
    if (strtoull(line, NULL, 16) != 0) return done("%.60s", line);
  return denied(0, "all addresses are zero");
}

static struct outcome none_readable(const char* const* paths) {
  char text[257];  // a whole number of words: the page counts are read in no other size
  int count = 0;
  for (; *paths != NULL; ++paths, ++count)
    if (read_text(*paths, text, sizeof text) > 0) return done("%s can be read", *paths);
  return denied(0, "%d files absent or empty", count);
}
#define NONE_READABLE(name, ...)                                    \
  static struct outcome name(const struct params* p) {              \
    (void)p;                                                        \
    return none_readable((const char* const[]){__VA_ARGS__, NULL}); \
  }
NONE_READABLE(scheduler, "/proc/sched_debug", "/sys/kernel/debug/sched/debug", "/proc/timer_stats",
              "/proc/latency_stats")
NONE_READABLE(timers, "/proc/timer_list")
NONE_READABLE(key_rings, "/proc/keys")
NONE_READABLE(firmware, "/sys/firmware/acpi/tables/DSDT", "/sys/firmware/dmi/tables/DMI",
              "/sys/firmware/efi/fw_vendor", "/proc/acpi/wakeup", "/proc/scsi/scsi",
              "/sys/devices/virtual/powercap/intel-rapl/intel-rapl:0/energy_uj")
NONE_READABLE(memory_of_the_kernel, "/proc/kcore", "/proc/vmcore", "/dev/mem")

NONE_READABLE(page_counts, "/proc/kpagecount", "/proc/kpageflags", "/proc/kpagecgroup")

static struct outcome kernel_log(const struct params* p) {
  (void)p;
  char text[256];
  if (syscall(SYS_syslog, 3, text, sizeof text) > 0) return done("syslog(2) reads it");
  const int error = errno;
  if (read_text("/dev/kmsg", text, sizeof text) > 0) return done("/dev/kmsg reads it");
  if (read_text("/proc/kmsg", text, sizeof text) > 0) return done("/proc/kmsg reads it");
  return denied(error, "%s", strerror(error));
}

static bool tells(const struct params* p, const char* path, char* what, size_t size) {
  static char text[1 << 17];
  const long length = read_text(path, text, sizeof text);
  if (length <= 0) return false;
  for (long i = 0; i < length; ++i)
    if (text[i] == '\0') text[i] = ' ';
  for (int i = 0; i < kMaxTexts && p->texts[i][0] != '\0'; ++i) {
    if (strstr(text, p->texts[i]) == NULL) continue;
    snprintf(what, size, "%.80s names %.100s", path, p->texts[i]);
    return true;
  }
  return false;
}

static struct outcome names_in(const struct params* p, const char* const* paths) {
  char what[200];
  int count = 0;
  for (; *paths != NULL; ++paths, ++count)
    if (tells(p, *paths, what, sizeof what)) return done("%s", what);
  return denied(0, "%d files", count);
}

static struct outcome names_in_mounts(const struct params* p) {
  return names_in(p, (const char* const[]){"/proc/self/mountinfo", "/proc/mounts",
                                           "/proc/self/mountstats", "/proc/1/mountinfo", NULL});
}

static struct outcome names_in_files(const struct params* p) {
  return names_in(
      p, (const char* const[]){"/proc/cmdline", "/proc/self/cgroup", "/proc/1/cgroup",
                               "/proc/swaps", "/proc/net/unix", "/proc/locks", "/etc/hostname",
                               "/etc/hosts", "/etc/resolv.conf", "/proc/sys/kernel/hostname",
                               "/proc/1/environ", "/proc/1/cmdline", "/run/.containerenv", NULL});
}

static struct outcome names_in_block_devices(const struct params* p) {
  char what[200], path[512];
  DIR* const list = opendir("/sys/block");
  int count = 0;
  for (const struct dirent* entry; list != NULL && (entry = readdir(list)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/sys/block/%.200s/loop/backing_file", entry->d_name);
    ++count;
    if (tells(p, path, what, sizeof what)) return done("%s", what);
  }
  if (list != NULL) closedir(list);
  return denied(0, "%d block devices", count);
}

static struct outcome names_in_processes(const struct params* p) {
  char what[200], path[64];
  DIR* const list = opendir("/proc");
  int count = 0;
  for (const struct dirent* entry; list != NULL && (entry = readdir(list)) != NULL;) {
    if (!isdigit((unsigned char)entry->d_name[0])) continue;
    ++count;
    snprintf(path, sizeof path, "/proc/%.16s/cmdline", entry->d_name);
    if (tells(p, path, what, sizeof what)) return done("%s", what);
    snprintf(path, sizeof path, "/proc/%.16s/environ", entry->d_name);
    if (tells(p, path, what, sizeof what)) return done("%s", what);
  }
  if (list != NULL) closedir(list);
  return denied(0, "%d processes", count);
}

static struct outcome host_name(const struct params* p) {
  struct utsname machine;
  if (uname(&machine) != 0) return cannot(errno, "uname");
  for (int i = 0; i < kMaxTexts && p->texts[i][0] != '\0'; ++i)
    if (strcmp(machine.nodename, p->texts[i]) == 0) return done("the host's name");
  return denied(0, "another name: %.64s", machine.nodename);
}

const struct check kInfoChecks[] = {{"info-kernel-addresses", kernel_addresses, 5},
                                    {"info-scheduler", scheduler, 5},
                                    {"info-timers", timers, 5},
                                    {"info-key-rings", key_rings, 5},
                                    {"info-firmware", firmware, 5},
                                    {"info-kernel-memory", memory_of_the_kernel, 5},
                                    {"info-page-counts", page_counts, 5},
                                    {"info-kernel-log", kernel_log, 5},
                                    {"info-mounts", names_in_mounts, 5},
                                    {"info-files", names_in_files, 5},
                                    {"info-block-devices", names_in_block_devices, 5},
                                    {"info-processes", names_in_processes, 5},
                                    {"info-host-name", host_name, 5},
                                    {NULL, NULL, 0}};
