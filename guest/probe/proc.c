// The kernel's own files, opened for writing (never written), device nodes, and control groups.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "probe.h"

static struct outcome none_writable(const char* const* paths) {
  struct attempts all = {0};
  for (; *paths != NULL; ++paths) attempt(&all, *paths, open_for_writing(*paths));
  return verdict(&all);
}
#define NONE_WRITABLE(name, ...)                                    \
  static struct outcome name(const struct params* p) {              \
    (void)p;                                                        \
    return none_writable((const char* const[]){__VA_ARGS__, NULL}); \
  }
NONE_WRITABLE(core_pattern, "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/core_pipe_limit")
NONE_WRITABLE(sysrq, "/proc/sysrq-trigger", "/proc/sys/kernel/sysrq")
NONE_WRITABLE(modprobe, "/proc/sys/kernel/modprobe", "/proc/sys/kernel/modules_disabled",
              "/proc/sys/kernel/usermodehelper/bset", "/proc/sys/kernel/poweroff_cmd")
NONE_WRITABLE(uevent_helper, "/sys/kernel/uevent_helper", "/proc/sys/kernel/hotplug",
              "/sys/devices/system/cpu/uevent", "/sys/devices/virtual/mem/null/uevent")
NONE_WRITABLE(binfmt, "/proc/sys/fs/binfmt_misc/register", "/proc/sys/fs/binfmt_misc/status")
NONE_WRITABLE(sysctls, "/proc/sys/kernel/panic", "/proc/sys/kernel/pid_max",
              "/proc/sys/kernel/threads-max", "/proc/sys/kernel/ns_last_pid",
              "/proc/sys/kernel/kptr_restrict", "/proc/sys/kernel/randomize_va_space",
              "/proc/sys/vm/drop_caches", "/proc/sys/vm/overcommit_memory",
              "/proc/sys/vm/panic_on_oom", "/proc/sys/fs/file-max",
              "/proc/sys/fs/protected_symlinks", "/proc/sys/fs/suid_dumpable",
              "/proc/sys/net/core/somaxconn", "/proc/sys/net/ipv4/ip_forward",
              "/proc/irq/default_smp_affinity")
NONE_WRITABLE(sys_files, "/sys/power/state", "/sys/power/disk", "/sys/kernel/mm/ksm/run",
              "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/kernel/profiling",
              "/sys/kernel/kexec_crash_size", "/sys/module/printk/parameters/time",
              "/sys/devices/system/cpu/cpu1/online", "/sys/bus/pci/rescan",
              "/sys/class/block/vda/queue/scheduler", "/sys/fs/cgroup/cgroup.procs",
              "/sys/kernel/debug/sched_features", "/sys/kernel/security/lsm",
              "/sys/kernel/tracing/tracing_on", "/sys/block/vda/uevent")
NONE_WRITABLE(kernel_memory, "/dev/mem", "/dev/kmem", "/dev/port", "/proc/kcore", "/proc/mtrr",
              "/dev/kmsg")

// Of what an engine puts into /dev; what else can be opened is a way to a driver.
static bool harmless(dev_t device) {
  const unsigned a = major(device), b = minor(device);
  if (a == 1) return b == 3 || b == 5 || b == 7 || b == 8 || b == 9;
  return (a == 5 && (b == 0 || b == 1 || b == 2)) || (a >= 136 && a <= 143);
}

static void try_nodes(const char* folder, int depth, struct attempts* all, char* first,
                      size_t size) {
  DIR* const list = opendir(folder);
  if (list == NULL) return;
  for (const struct dirent* entry; (entry = readdir(list)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    char path[512];
    struct stat info;
    snprintf(path, sizeof path, "%.200s/%.200s", folder, entry->d_name);
    if (lstat(path, &info) != 0) continue;
    if (S_ISDIR(info.st_mode) && depth > 0) try_nodes(path, depth - 1, all, first, size);
    if ((!S_ISBLK(info.st_mode) && !S_ISCHR(info.st_mode)) ||
        (S_ISCHR(info.st_mode) && harmless(info.st_rdev)))
      continue;
    const int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (file >= 0 && first[0] == '\0') snprintf(first, size, "%.100s", path);
    attempt(all, first, file);
    if (file >= 0) close(file);
  }
  closedir(list);
}

static struct outcome device_nodes(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  char first[128] = "";
  try_nodes("/dev", 3, &all, first, sizeof first);
  return verdict(&all);
}

static struct outcome known_devices(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  const char* const paths[] = {
      "/dev/sda",          "/dev/vda",          "/dev/nvme0n1",     "/dev/xvda",
      "/dev/loop0",        "/dev/loop-control", "/dev/dm-0",        "/dev/mapper/control",
      "/dev/fuse",         "/dev/kvm",          "/dev/net/tun",     "/dev/vhost-net",
      "/dev/vsock",        "/dev/uinput",       "/dev/rfkill",      "/dev/mem",
      "/dev/kmsg",         "/dev/port",         "/dev/userfaultfd", "/dev/cpu/0/msr",
      "/dev/btrfs-control"};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; ++i) {
    const int file = open(paths[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    attempt(&all, paths[i], file);
    if (file >= 0) close(file);
  }
  return verdict(&all);
}

// Every file of that name in the control groups that can be seen here.
static void try_groups(const char* folder, int depth, const char* const* names,
                       struct attempts* all) {
  for (const char* const* name = names; *name != NULL; ++name) {
    char path[512];
    snprintf(path, sizeof path, "%.300s/%.100s", folder, *name);
    attempt(all, *name, open_for_writing(path));
  }
  DIR* const list = depth > 0 ? opendir(folder) : NULL;
  if (list == NULL) return;
  for (const struct dirent* entry; (entry = readdir(list)) != NULL;) {
    if (entry->d_name[0] == '.' || entry->d_type != DT_DIR) continue;
    char path[512];
    snprintf(path, sizeof path, "%.200s/%.200s", folder, entry->d_name);
    try_groups(path, depth - 1, names, all);
  }
  closedir(list);
}
#define GROUP_FILES(name, ...)                                                       \
  static struct outcome name(const struct params* p) {                               \
    (void)p;                                                                         \
    struct attempts all = {0};                                                       \
    try_groups("/sys/fs/cgroup", 3, (const char* const[]){__VA_ARGS__, NULL}, &all); \
    return verdict(&all);                                                            \
  }
GROUP_FILES(release_agent, "release_agent", "notify_on_release")
GROUP_FILES(group_devices, "devices.allow", "devices.deny")
GROUP_FILES(group_limits, "memory.max", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes",
            "pids.max", "cpu.max", "cpu.cfs_quota_us", "cpuset.cpus")
GROUP_FILES(group_members, "cgroup.procs", "tasks", "cgroup.subtree_control")

const struct check kProcChecks[] = {{"write-core-pattern", core_pattern, 5},
                                    {"write-sysrq", sysrq, 5},
                                    {"write-modprobe", modprobe, 5},
                                    {"write-uevent-helper", uevent_helper, 5},
                                    {"write-binfmt", binfmt, 5},
                                    {"write-sysctls", sysctls, 5},
                                    {"write-sys", sys_files, 5},
                                    {"kernel-memory", kernel_memory, 5},
                                    {"device-nodes", device_nodes, 10},
                                    {"known-devices", known_devices, 5},
                                    {"cgroup-release-agent", release_agent, 10},
                                    {"cgroup-devices", group_devices, 10},
                                    {"cgroup-limits", group_limits, 10},
                                    {"cgroup-members", group_members, 10},
                                    {NULL, NULL, 0}};
