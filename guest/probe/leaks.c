// What an engine may have left open on the way in: descriptors, working directories, programs,
// sockets, folders of the host.
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"

static bool mount_is_ours(long long mount_id) {
  FILE* const table = fopen("/proc/self/mountinfo", "re");
  char line[4096];
  bool found = false;
  while (table != NULL && !found && fgets(line, sizeof line, table) != NULL)
    found = strtoll(line, NULL, 10) == mount_id;
  if (table != NULL) fclose(table);
  return found;
}

static long long mount_of(int process, int descriptor) {
  char path[64], text[1024];
  if (process > 0) {
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", process, descriptor);
  } else {
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", descriptor);
  }
  if (read_text(path, text, sizeof text) <= 0) return -1;
  const char* const found = strstr(text, "mnt_id:");
  return found == NULL ? -1 : strtoll(found + 7, NULL, 10);
}

// A descriptor of a folder, file or device on a mount that is not of this sandbox. The null device
// and terminals come from outside by design.
static bool foreign(int process, int descriptor, char* what, size_t size) {
  char path[64];
  struct stat info;
  snprintf(path, sizeof path, "/proc/%d/fd/%d", process, descriptor);
  if (stat(path, &info) != 0) return false;
  const bool device = S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode);
  if (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode) && !device) return false;
  if (S_ISCHR(info.st_mode) &&
      (info.st_rdev == makedev(1, 3) || major(info.st_rdev) == 136 || major(info.st_rdev) == 5))
    return false;
  const long long mount = mount_of(process, descriptor);
  if (mount >= 0 && mount_is_ours(mount)) return false;
  char target[128] = "";
  if (readlink(path, target, sizeof target - 1) < 0) target[0] = '\0';
  snprintf(what, size, "process %d has %.100s", process, target);
  return true;
}

static int next_process(DIR* list) {
  for (const struct dirent* entry; (entry = readdir(list)) != NULL;)
    if (isdigit((unsigned char)entry->d_name[0])) return atoi(entry->d_name);
  return 0;
}

static struct outcome descriptors(const struct params* p) {
  (void)p;
  char what[160];
  int seen = 0;
  DIR* const list = opendir("/proc");
  for (int process; list != NULL && (process = next_process(list)) > 0;) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/fd", process);
    DIR* const open_files = opendir(path);
    if (open_files == NULL) continue;
    for (const struct dirent* entry; (entry = readdir(open_files)) != NULL;) {
      if (!isdigit((unsigned char)entry->d_name[0])) continue;
      ++seen;
      if (foreign(process, atoi(entry->d_name), what, sizeof what)) return done("%s", what);
    }
    closedir(open_files);
  }
  return seen > 0 ? denied(0, "%d descriptors seen", seen) : cannot(errno, "/proc/*/fd");
}

static struct outcome own_descriptors(const struct params* p) {
  (void)p;
  // 3 is what this check is answered through, 4 the list that is being read.
  for (int i = 5; i < 4096; ++i) {
    if (fcntl(i, F_GETFD) < 0) continue;
    char path[32], target[128] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%d", i);
    if (readlink(path, target, sizeof target - 1) < 0) target[0] = '\0';
    return done("descriptor %d: %s", i, target);
  }
  return denied(0, "none but the standard streams");
}

// A folder of the host as working directory: of a process, or by the numbers of descriptors that a
// runtime may have had open when it started us.
static struct outcome working_directories(const struct params* p) {
  (void)p;
  char path[64], target[256];
  DIR* const list = opendir("/proc");
  for (int process; list != NULL && (process = next_process(list)) > 0;) {
    snprintf(path, sizeof path, "/proc/%d/cwd", process);
    const ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0) continue;
    target[length] = '\0';
    if (strncmp(target, "(unreachable)", 13) == 0)
      return done("process %d: %.100s", process, target);
    const int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) continue;
    const bool ours = mount_is_ours(mount_of(0, folder));
    close(folder);
    if (!ours) return done("process %d: %.100s is on a mount of others", process, target);
  }
  for (int i = 0; i < 64; ++i) {
    snprintf(path, sizeof path, "/proc/1/fd/%d", i);
    const int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) continue;
    const bool ours = mount_is_ours(mount_of(0, folder));
    close(folder);
    if (!ours) return done("%s leads out", path);
  }
  return denied(0, "all within this sandbox");
}

static struct outcome programs(const struct params* p) {
  (void)p;
  char path[64], target[256];
  int seen = 0;
  DIR* const list = opendir("/proc");
  for (int process; list != NULL && (process = next_process(list)) > 0;) {
    snprintf(path, sizeof path, "/proc/%d/exe", process);
    const int file = open(path, O_PATH | O_CLOEXEC);
    if (file < 0) continue;
    ++seen;
    const ssize_t length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = '\0';
    const bool ours = mount_is_ours(mount_of(0, file));
    close(file);
    if (!ours) return done("process %d runs %.100s of another mount", process, target);
  }
  return seen > 0 ? denied(0, "%d programs of this sandbox", seen) : cannot(errno, "/proc/*/exe");
}

// Lies in wait for the runtime's own program while the host starts others in here, keeps a handle
// of it, and tries to write to it when it has ended.
static struct outcome runtime_program(const struct params* p) {
  (void)p;
  int handles[32], count = 0, caught = 0;
  struct timespec begin, now;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  do {
    DIR* const list = opendir("/proc");
    for (int process; list != NULL && (process = next_process(list)) > 0;) {
      char path[64];
      snprintf(path, sizeof path, "/proc/%d/exe", process);
      const int file = open(path, O_RDONLY | O_CLOEXEC);
      if (file < 0) continue;
      if (count < 32 && !mount_is_ours(mount_of(0, file))) {
        handles[count++] = file;
        ++caught;
      } else {
        close(file);
      }
    }
    if (list != NULL) closedir(list);
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec - begin.tv_sec < 2 && count < 32);
  for (int i = 0; i < count; ++i) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", handles[i]);
    for (int round = 0; round < 20; ++round) {
      const int file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
      if (file >= 0) return done("the runtime's program could be opened for writing");
      if (errno != ETXTBSY) break;
      const struct timespec pause = {0, 50000000};
      nanosleep(&pause, NULL);
    }
  }
  return denied(errno, "%d handles of foreign programs, none writable", caught);
}

static bool connects(const char* path) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof to.sun_path) return false;
  strcpy(to.sun_path, path);
  const int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const bool good = s >= 0 && connect(s, (struct sockaddr*)&to, sizeof to) == 0;
  if (s >= 0) close(s);
  return good;
}

static struct outcome engine_sockets(const struct params* p) {
  (void)p;
  const char* const paths[] = {"/var/run/docker.sock",
                               "/run/docker.sock",
                               "/run/containerd/containerd.sock",
                               "/run/containerd/containerd.sock.ttrpc",
                               "/run/crio/crio.sock",
                               "/run/podman/podman.sock",
                               "/run/buildkit/buildkitd.sock",
                               "/var/run/balena.sock",
                               "/run/k3s/containerd/containerd.sock",
                               "/run/sandtrap",
                               "/run/runc",
                               "/run/crun"};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; ++i) {
    struct stat info;
    if (stat(paths[i], &info) == 0)
      return done("%s is there%s", paths[i], connects(paths[i]) ? " and answers" : "");
  }
  return denied(ENOENT, "none of %zu", sizeof paths / sizeof *paths);
}

// A mount of one of the host's own disks. The names that Docker mounts into every container are
// told apart by the host, which knows its engine.
static struct outcome host_mounts(const struct params* p) {
  FILE* const table = fopen("/proc/self/mountinfo", "re");
  if (table == NULL) return cannot(errno, "mountinfo");
  char line[4096], device[64], target[256], others[160] = "";
  int known = 0;
  while (fgets(line, sizeof line, table) != NULL) {
    if (sscanf(line, "%*d %*d %63s %*s %255s", device, target) != 2) continue;
    for (int i = 0; i < kMaxTexts && p->devices[i][0] != '\0'; ++i) {
      if (strcmp(device, p->devices[i]) != 0) continue;
      if (strcmp(target, "/etc/resolv.conf") == 0 || strcmp(target, "/etc/hostname") == 0 ||
          strcmp(target, "/etc/hosts") == 0) {
        ++known;
      } else if (others[0] == '\0') {
        snprintf(others, sizeof others, "%.100s is on disk %.30s of the host", target, device);
      }
    }
  }
  fclose(table);
  if (others[0] != '\0') return done("%s", others);
  return value(known, "%d mounts from a disk of the host", known);
}

static struct outcome host_paths(const struct params* p) {
  int count = 0;
  for (; count < kMaxTexts && p->texts[count][0] != '\0'; ++count)
    if (p->texts[count][0] == '/' && access(p->texts[count], F_OK) == 0)
      return done("%s", p->texts[count]);
  return count > 0 ? denied(ENOENT, "none of the host's folders")
                   : cannot(0, "no names were given");
}

const struct check kLeakChecks[] = {{"leak-descriptors", descriptors, 10},
                                    {"leak-own-descriptors", own_descriptors, 5},
                                    {"leak-working-directories", working_directories, 10},
                                    {"leak-programs", programs, 10},
                                    {"runtime-program", runtime_program, 15},
                                    {"engine-sockets", engine_sockets, 5},
                                    {"host-mounts", host_mounts, 5},
                                    {"host-paths", host_paths, 5},
                                    {NULL, NULL, 0}};
