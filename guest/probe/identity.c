// Who we are, and whether a program can make us more.
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "probe.h"

static bool status_number(const char* key, int base, unsigned long long* out) {
  char text[8192], line[40];
  if (read_text("/proc/self/status", text, sizeof text) <= 0) return false;
  snprintf(line, sizeof line, "\n%s:", key);
  const char* const found = strstr(text, line);
  if (found == NULL) return false;
  *out = strtoull(found + strlen(line), NULL, base);
  return true;
}

static struct outcome capability_set(const char* key) {
  unsigned long long set = 0;
  if (!status_number(key, 16, &set)) return cannot(errno, "%s", key);
  return value((long long)set, "%016llx", set);
}
#define CAPABILITY_SET(name, key)                      \
  static struct outcome name(const struct params* p) { \
    (void)p;                                           \
    return capability_set(key);                        \
  }
CAPABILITY_SET(effective, "CapEff")
CAPABILITY_SET(permitted, "CapPrm")
CAPABILITY_SET(inheritable, "CapInh")
CAPABILITY_SET(bounding, "CapBnd")
CAPABILITY_SET(ambient, "CapAmb")

static struct outcome no_new_privileges(const struct params* p) {
  (void)p;
  return value(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), "no_new_privs");
}

static struct outcome seccomp_mode(const struct params* p) {
  (void)p;
  unsigned long long mode = 0;
  if (!status_number("Seccomp", 10, &mode)) return cannot(errno, "Seccomp");
  return value((long long)mode, "seccomp mode %llu", mode);
}

// A copy of this program, root's, with `mode`.
static bool copy_self(const char* path, mode_t mode) {
  const int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  unlink(path);
  const int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
  static char block[65536];
  ssize_t got = -1;
  if (from >= 0 && to >= 0)
    while ((got = read(from, block, sizeof block)) > 0)
      if (write(to, block, (size_t)got) != got) break;
  const bool good = got == 0 && fchmod(to, mode) == 0;
  close(from);
  close(to);
  return good;
}

// Runs `path` as nobody with one check; what it says of itself is the answer.
static long long as_nobody(const char* path, const char* check) {
  int ends[2];
  if (pipe(ends) != 0) return -1;
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 1);
    if (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0) _exit(1);
    execl(path, path, check, (char*)NULL);
    _exit(1);
  }
  close(ends[1]);
  char text[512];
  size_t length = 0;
  ssize_t got = 0;
  while (length < sizeof text - 1 &&
         (got = read(ends[0], text + length, sizeof text - 1 - length)) > 0)
    length += (size_t)got;
  text[length] = '\0';
  close(ends[0]);
  if (child > 0) waitpid(child, NULL, 0);
  long long number = -1;
  return sscanf(text, "st1 %*s value %*d %lld", &number) == 1 ? number : -1;
}

static struct outcome effective_user(const struct params* p) {
  (void)p;
  return value((long long)geteuid(), "effective user");
}

static struct outcome setuid_program(const struct params* p) {
  (void)p;
  const char* const path = "/tmp/.setuid";
  if (!copy_self(path, 04755)) return cannot(errno, "copy with the setuid bit");
  const long long user = as_nobody(path, "effective-user");
  unlink(path);
  if (user < 0) return cannot(0, "the copy did not run");
  return user == 0 ? done("nobody became root by a setuid program")
                   : denied(0, "nobody stayed user %lld", user);
}

static struct outcome file_capabilities(const struct params* p) {
  (void)p;
  const char* const path = "/tmp/.filecap";
  if (!copy_self(path, 0755)) return cannot(errno, "copy");
  struct vfs_cap_data data = {0};
  data.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
  data.data[0].permitted = 1U << CAP_CHOWN | 1U << CAP_SETUID;
  const int set = setxattr(path, "security.capability", &data, sizeof data, 0);
  const int error = errno;
  const long long gained = set == 0 ? as_nobody(path, "capability-effective") : 0;
  unlink(path);
  if (set != 0) return denied(error, "setting them: %s", strerror(error));
  if (gained < 0) return denied(EPERM, "such a program does not run");
  return gained == 0 ? denied(0, "they give nothing") : done("a user gained %llx", gained);
}

// The user of the host that root in here is: the middle column of the map.
static struct outcome user_map(const struct params* p) {
  (void)p;
  char text[512];
  long long inside = 0, outside = 0, count = 0;
  if (read_text("/proc/self/uid_map", text, sizeof text) <= 0 ||
      sscanf(text, "%lld %lld %lld", &inside, &outside, &count) != 3)
    return cannot(errno, "/proc/self/uid_map");
  return value(outside, "users %lld to %lld are %lld on of the host", inside, inside + count - 1,
               outside);
}

static struct outcome group_map(const struct params* p) {
  (void)p;
  char text[512];
  long long inside = 0, outside = 0;
  if (read_text("/proc/self/gid_map", text, sizeof text) <= 0 ||
      sscanf(text, "%lld %lld", &inside, &outside) != 2)
    return cannot(errno, "/proc/self/gid_map");
  return value(outside, "group %lld is %lld of the host", inside, outside);
}

#define NAMESPACE(kind)                                                \
  static struct outcome namespace_##kind(const struct params* p) {     \
    (void)p;                                                           \
    char link[64] = "";                                                \
    long long number = 0;                                              \
    if (readlink("/proc/self/ns/" #kind, link, sizeof link - 1) < 0 || \
        sscanf(link, #kind ":[%lld]", &number) != 1)                   \
      return cannot(errno, "/proc/self/ns/" #kind);                    \
    return value(number, "%s", link);                                  \
  }
NAMESPACE(pid)
NAMESPACE(net)
NAMESPACE(mnt)
NAMESPACE(ipc)
NAMESPACE(uts)
NAMESPACE(cgroup)
NAMESPACE(user)

const struct check kIdentityChecks[] = {{"capability-effective", effective, 5},
                                        {"capability-permitted", permitted, 5},
                                        {"capability-inheritable", inheritable, 5},
                                        {"capability-bounding", bounding, 5},
                                        {"capability-ambient", ambient, 5},
                                        {"no-new-privileges", no_new_privileges, 5},
                                        {"seccomp", seccomp_mode, 5},
                                        {"effective-user", effective_user, 5},
                                        {"setuid-program", setuid_program, 10},
                                        {"file-capabilities", file_capabilities, 10},
                                        {"user-map", user_map, 5},
                                        {"group-map", group_map, 5},
                                        {"own-pid-namespace", namespace_pid, 5},
                                        {"own-network-namespace", namespace_net, 5},
                                        {"own-mount-namespace", namespace_mnt, 5},
                                        {"own-ipc-namespace", namespace_ipc, 5},
                                        {"own-uts-namespace", namespace_uts, 5},
                                        {"own-cgroup-namespace", namespace_cgroup, 5},
                                        {"own-user-namespace", namespace_user, 5},
                                        {NULL, NULL, 0}};
