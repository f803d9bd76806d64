// New namespaces, old ones of others, mounts, roots and device nodes.
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"

static long in_child(long (*call)(unsigned long), unsigned long flag) {
  const pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) _exit(call(flag) < 0 ? errno : 0);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
    errno = WEXITSTATUS(status);
    return -1;
  }
  return 0;
}

static long do_unshare(unsigned long flag) {
  return unshare((int)flag);
}
static long do_clone(unsigned long flag) {
  const long child = syscall(SYS_clone, flag | SIGCHLD, NULL, NULL, NULL, NULL);
  if (child == 0) _exit(0);
  return child;
}
static long do_clone3(unsigned long flag) {
  struct clone_args args = {.flags = flag, .exit_signal = SIGCHLD};
  const long child = syscall(435, &args, sizeof args);
  if (child == 0) _exit(0);
  return child;
}

static struct outcome all_ways(unsigned long flag) {
  struct attempts all = {0};
  attempt(&all, "unshare", in_child(do_unshare, flag));
  if (flag != 0x80) attempt(&all, "clone", in_child(do_clone, flag));  // a signal's bit in clone
  attempt(&all, "clone3", in_child(do_clone3, flag));
  return verdict(&all);
}

#define NEW_NAMESPACE(name, flag)                            \
  static struct outcome new_##name(const struct params* p) { \
    (void)p;                                                 \
    return all_ways(flag);                                   \
  }
NEW_NAMESPACE(user, CLONE_NEWUSER)
NEW_NAMESPACE(mount, CLONE_NEWNS)
NEW_NAMESPACE(pid, CLONE_NEWPID)
NEW_NAMESPACE(network, CLONE_NEWNET)
NEW_NAMESPACE(ipc, CLONE_NEWIPC)
NEW_NAMESPACE(uts, CLONE_NEWUTS)
NEW_NAMESPACE(cgroup, CLONE_NEWCGROUP)
NEW_NAMESPACE(time, 0x80)

static struct outcome join(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  const char* const kinds[] = {"mnt", "net", "pid", "ipc", "uts", "cgroup", "user"};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
    char path[32];
    snprintf(path, sizeof path, "/proc/1/ns/%s", kinds[i]);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    attempt(&all, kinds[i], file < 0 ? -1 : setns(file, 0));
    if (file >= 0) close(file);
  }
  const int process = (int)syscall(434, 1, 0);
  attempt(&all, "by pidfd", process < 0 ? -1 : setns(process, CLONE_NEWNS));
  return verdict(&all);
}

#define MOUNT(name, type, options)                              \
  static struct outcome mount_##name(const struct params* p) {  \
    (void)p;                                                    \
    struct attempts all = {0};                                  \
    attempt(&all, type, mount(type, "/mnt", type, 0, options)); \
    return verdict(&all);                                       \
  }
MOUNT(tmpfs, "tmpfs", "size=4k")
MOUNT(proc, "proc", NULL)
MOUNT(overlay, "overlay", "lowerdir=/usr:/etc")

static struct outcome mount_cgroup(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  attempt(&all, "cgroup2", mount("cgroup2", "/mnt", "cgroup2", 0, NULL));
  const char* const controllers[] = {"memory", "rdma", "devices", "pids", "none,name=st"};
  for (size_t i = 0; i < sizeof controllers / sizeof *controllers; ++i)
    attempt(&all, controllers[i], mount("cgroup", "/mnt", "cgroup", 0, controllers[i]));
  return verdict(&all);
}

static struct outcome mount_new_api(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  attempt(&all, "open_tree", syscall(428, AT_FDCWD, "/", 1));
  attempt(&all, "move_mount", syscall(429, -1, "", -1, "", 0));
  attempt(&all, "fsopen", syscall(430, "tmpfs", 0));
  attempt(&all, "fsmount", syscall(432, -1, 0, 0));
  attempt(&all, "fspick", syscall(433, AT_FDCWD, "/", 0));
  attempt(&all, "mount_setattr", syscall(442, -1, "", 0, NULL, 0));
  return verdict(&all);
}

static struct outcome mount_change(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  attempt(&all, "a bind mount", mount("/etc", "/mnt", NULL, MS_BIND, NULL));
  attempt(&all, "remounting /sys", mount(NULL, "/sys", NULL, MS_REMOUNT | MS_BIND, NULL));
  attempt(&all, "remounting /proc/sys", mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL));
  attempt(&all, "unmounting a mask", umount2("/proc/kcore", MNT_DETACH));
  attempt(&all, "unmounting /proc", umount2("/proc", MNT_DETACH));
  attempt(&all, "making mounts shared", mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL));
  return verdict(&all);
}

static struct outcome pivot(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  attempt(&all, "pivot_root", syscall(SYS_pivot_root, "/mnt", "/mnt"));
  return verdict(&all);
}

// chroot into a folder while the working directory stays above it, then walk up: it may work, but
// must end at this sandbox's own root.
static struct outcome chroot_escape(const struct params* p) {
  (void)p;
  struct stat before, after;
  if (stat("/", &before) != 0) return cannot(errno, "stat /");
  mkdir("/tmp/.jail", 0700);
  const int top = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (chroot("/tmp/.jail") != 0) return denied(errno, "chroot: %s", strerror(errno));
  if (fchdir(top) != 0) return cannot(errno, "fchdir");
  for (int i = 0; i < 64; ++i)
    if (chdir("..") != 0) break;
  if (chroot(".") != 0 || stat("/", &after) != 0) return cannot(errno, "second chroot");
  if (before.st_dev != after.st_dev || before.st_ino != after.st_ino)
    return done("another root: device %u:%u inode %llu", major(after.st_dev), minor(after.st_dev),
                (unsigned long long)after.st_ino);
  return denied(0, "ends at this sandbox's root");
}

static struct outcome make_node(mode_t type, unsigned number_major, unsigned number_minor) {
  const char* const places[] = {"/tmp/.node", "/dev/.node", "/dev/shm/.node", "/root/.node"};
  struct attempts all = {0};
  for (size_t i = 0; i < sizeof places / sizeof *places; ++i) {
    long result = mknod(places[i], type | 0600, makedev(number_major, number_minor));
    if (result == 0) {  // a node that cannot be opened is harmless, but no engine of ours makes one
      const int file = open(places[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
      if (file >= 0) close(file);
      unlink(places[i]);
    }
    attempt(&all, places[i], result);
  }
  return verdict(&all);
}
static struct outcome node_block(const struct params* p) {
  (void)p;
  return make_node(S_IFBLK, 8, 0);
}
static struct outcome node_char(const struct params* p) {
  (void)p;
  return make_node(S_IFCHR, 1, 1);
}

const struct check kNamespaceChecks[] = {{"new-user-namespace", new_user, 5},
                                         {"new-mount-namespace", new_mount, 5},
                                         {"new-pid-namespace", new_pid, 5},
                                         {"new-network-namespace", new_network, 5},
                                         {"new-ipc-namespace", new_ipc, 5},
                                         {"new-uts-namespace", new_uts, 5},
                                         {"new-cgroup-namespace", new_cgroup, 5},
                                         {"new-time-namespace", new_time, 5},
                                         {"join-namespaces", join, 5},
                                         {"mount-tmpfs", mount_tmpfs, 5},
                                         {"mount-proc", mount_proc, 5},
                                         {"mount-overlay", mount_overlay, 5},
                                         {"mount-cgroup", mount_cgroup, 5},
                                         {"mount-new-api", mount_new_api, 5},
                                         {"mount-change", mount_change, 5},
                                         {"pivot-root", pivot, 5},
                                         {"chroot-escape", chroot_escape, 5},
                                         {"mknod-block", node_block, 5},
                                         {"mknod-char", node_char, 5},
                                         {NULL, NULL, 0}};
