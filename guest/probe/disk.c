// Fills the writable layer: with blocks, with inodes, with one large file.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "probe.h"

enum { kMebi = 1 << 20 };

// Reserved blocks are as taken as written ones, and cost the host's disk nothing to write.
static bool take(int file, long long from, long long size) {
  if (fallocate(file, 0, from, size) == 0) return true;
  if (errno != EOPNOTSUPP && errno != ENOSYS) return false;
  static char block[kMebi];
  memset(block, 1, sizeof block);
  for (long long put = 0; put < size;) {
    const long long rest = size - put;
    const ssize_t wrote = pwrite(file, block, rest < kMebi ? (size_t)rest : kMebi, from + put);
    if (wrote <= 0) return false;
    put += wrote;
  }
  return true;
}

static struct outcome fill(const struct params* p) {
  const long long most = p->disk + 64LL * kMebi, largest = 64LL * kMebi;
  if (p->disk <= 0) return cannot(0, "no limit was given");
  if (most > p->bound) return cannot(0, "the host cannot spare %lld MiB", most / kMebi);
  if (mkdir("/var/tmp/.fill", 0700) != 0) return cannot(errno, "mkdir");
  long long total = 0, chunk = p->file_size < largest ? p->file_size : largest;
  int error = 0, files = 0;
  char path[64];
  while (total < most && chunk >= 4096) {
    snprintf(path, sizeof path, "/var/tmp/.fill/%d", files++);
    const int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) {
      error = errno;
      break;
    }
    if (take(file, 0, chunk)) {
      total += chunk;
    } else {
      error = errno;
      unlink(path);
      chunk /= 2;
    }
    close(file);
  }
  for (int i = 0; i < files; ++i) {
    snprintf(path, sizeof path, "/var/tmp/.fill/%d", i);
    unlink(path);
  }
  rmdir("/var/tmp/.fill");
  return value(total, "%lld MiB, then %s", total / kMebi,
               error != 0 ? strerror(error) : "no refusal");
}

// Few are made when there is room for many: that each one counts shows in what is left.
static struct outcome inodes(const struct params* p) {
  struct statvfs before, after;
  if (p->inodes <= 0) return cannot(0, "no limit was given");
  if (mkdir("/var/tmp/.inodes", 0700) != 0) return cannot(errno, "mkdir");
  if (statvfs("/var/tmp/.inodes", &before) != 0) return cannot(errno, "statvfs");
  const long long wanted = p->inodes + 1000, most = wanted < 100000 ? wanted : 20000;
  long long made = 0;
  int error = 0;
  char path[64];
  for (; made < most; ++made) {
    snprintf(path, sizeof path, "/var/tmp/.inodes/%lld", made);
    const int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) {
      error = errno;
      break;
    }
    close(file);
  }
  statvfs("/var/tmp/.inodes", &after);
  for (long long i = 0; i < made; ++i) {
    snprintf(path, sizeof path, "/var/tmp/.inodes/%lld", i);
    unlink(path);
  }
  if (error != 0 || most == wanted)
    return value(made, "%lld files, then %s", made, error != 0 ? strerror(error) : "no refusal");
  const long long counted = (long long)before.f_ffree - (long long)after.f_ffree;
  if (counted < made) return value(1LL << 62, "%lld files, none of them counted", made);
  return value((long long)before.f_files, "%lld files counted, room for %lld", made,
               (long long)before.f_files);
}

static struct outcome file_size(const struct params* p) {
  signal(SIGXFSZ, SIG_IGN);
  const char* const path = "/var/tmp/.large";
  const int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return cannot(errno, "open");
  const bool within = pwrite(file, "x", 1, p->file_size - 1) == 1;
  const int within_error = errno;
  const bool beyond = pwrite(file, "x", 1, p->file_size) == 1;
  const int error = errno;
  unlink(path);
  if (beyond) return done("a file of more than %lld MiB", p->file_size / kMebi);
  if (!within && within_error != EFBIG && within_error != ENOSPC)
    return cannot(within_error, "write");
  return denied(error, "%s", strerror(error));
}

const struct check kDiskChecks[] = {{"limit-disk", fill, 120},
                                    {"limit-inodes", inodes, 120},
                                    {"limit-file-size", file_size, 10},
                                    {NULL, NULL, 0}};
