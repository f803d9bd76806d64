#include <fcntl.h>
#include <lastlog.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

#include "login.h"

static void write_all(const char* data, size_t length) {
  while (length > 0) {
    const ssize_t n = write(1, data, length);
    if (n <= 0) return;
    data += n;
    length -= (size_t)n;
  }
}

// Debian's pam_motd: the output of update-motd.d/10-uname (`uname -snrvm`), then /etc/motd.
void print_motd(void) {
  if (access(".hushlogin", F_OK) == 0) return;
  struct utsname name;
  if (uname(&name) == 0) {
    char line[sizeof(name)];
    const int length = snprintf(line, sizeof(line), "%s %s %s %s %s\n", name.sysname, name.nodename,
                                name.release, name.version, name.machine);
    if (length > 0) write_all(line, (size_t)length);
  }
  const int fd = open("/etc/motd", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  char buffer[4096];
  size_t total = 0;
  ssize_t n = 0;
  while (total < 65536 && (n = read(fd, buffer, sizeof(buffer))) > 0) {
    write_all(buffer, (size_t)n);
    total += (size_t)n;
  }
  close(fd);
}

static void update_lastlog(const struct Account* account, const char* line, const char* peer,
                           bool print) {
  const int fd = open("/var/log/lastlog", O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  const off_t at = (off_t)account->uid * (off_t)sizeof(struct lastlog);
  struct lastlog entry;
  if (print && pread(fd, &entry, sizeof(entry), at) == (ssize_t)sizeof(entry) &&
      entry.ll_time != 0 && access(".hushlogin", F_OK) != 0) {
    const time_t when = entry.ll_time;
    struct tm local;
    char text[64], out[512];
    if (localtime_r(&when, &local) != NULL &&
        strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y", &local) > 0) {
      // sshd writes CR LF itself, and the terminal adds another CR.
      const int length = entry.ll_host[0] == '\0'
                             ? snprintf(out, sizeof(out), "Last login: %s\r\n", text)
                             : snprintf(out, sizeof(out), "Last login: %s from %.*s\r\n", text,
                                        (int)sizeof(entry.ll_host), entry.ll_host);
      if (length > 0) write_all(out, (size_t)length);
    }
  }
  memset(&entry, 0, sizeof(entry));
  entry.ll_time = (__typeof__(entry.ll_time))time(NULL);
  strncpy(entry.ll_line, line, sizeof(entry.ll_line) - 1);
  strncpy(entry.ll_host, peer, sizeof(entry.ll_host) - 1);
  if (pwrite(fd, &entry, sizeof(entry), at) < 0) { /* a full disk must not stop a login */
  }
  close(fd);
}

void record_login(const struct Account* account, const char* tty, const char* peer, bool print) {
  const char* line = strncmp(tty, "/dev/", 5) == 0 ? tty + 5 : tty;
  update_lastlog(account, line, peer, print);
  struct utmp entry;
  memset(&entry, 0, sizeof(entry));
  entry.ut_type = USER_PROCESS;
  entry.ut_pid = getpid();
  strncpy(entry.ut_line, line, sizeof(entry.ut_line) - 1);
  // "ts/0": the tail of the line name, as every Linux program derives it.
  const char* tail = strlen(line) > 3 ? line + 1 : line;
  memcpy(entry.ut_id, tail, strnlen(tail, sizeof(entry.ut_id)));
  memcpy(entry.ut_user, account->name, strnlen(account->name, sizeof(entry.ut_user)));
  strncpy(entry.ut_host, peer, sizeof(entry.ut_host) - 1);
  struct timeval now = {.tv_sec = time(NULL)};
  entry.ut_tv.tv_sec = (__typeof__(entry.ut_tv.tv_sec))now.tv_sec;
  setutent();
  pututline(&entry);
  endutent();
  updwtmp("/var/log/wtmp", &entry);
}
