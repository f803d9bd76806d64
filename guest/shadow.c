#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accounts.h"

// Of the one hash that images/build.sh gives root (`locked_hash root`): known by its digest, so
// that neither this program nor the shadow file shows that it is special.
static const uint64_t kImageHash = 0xe1939c59c0026522ULL;

enum { kMaxLine = 4096, kMaxPassword = 512, kLockTries = 20 };

static uint64_t digest(const char* text) {
  uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  for (; *text != '\0'; ++text) hash = (hash ^ (unsigned char)*text) * 1099511628211ULL;
  return hash;
}

// "*", or root's hash, as the image came.
static bool untouched(const char* hash) {
  return strcmp(hash, "*") == 0 || digest(hash) == kImageHash;
}

// The second field of the user's line in `path`, cut to `room`.
static bool second_field(const char* path, const char* name, char* out, size_t room) {
  FILE* file = fopen(path, "re");
  if (file == NULL) return false;
  char line[kMaxLine];
  const size_t length = strlen(name);
  bool found = false;
  while (!found && fgets(line, sizeof(line), file) != NULL) {
    if (strncmp(line, name, length) != 0 || line[length] != ':') continue;
    char* field = line + length + 1;
    field[strcspn(field, ":\n")] = '\0';
    snprintf(out, room, "%s", field);
    found = true;
  }
  fclose(file);
  return found;
}

static bool has_own_password(const char* name) {
  char hash[256];
  if (second_field("/etc/passwd", name, hash, sizeof(hash)) && strcmp(hash, "x") != 0) return true;
  if (!second_field("/etc/shadow", name, hash, sizeof(hash))) return true;  // as PAM: no way in
  return !untouched(hash);
}

// The lock of the shadow tools, without their patience: a hostile holder must not stop a login.
static int lock_accounts(void) {
  const int fd = open("/etc/.pwd.lock", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  for (int i = 0; fd >= 0 && i < kLockTries; ++i) {
    if (fcntl(fd, F_SETLK, &whole) == 0) return fd;
    usleep(1000);
  }
  if (fd >= 0) close(fd);
  return -1;
}

static bool rewrite(FILE* in, FILE* out, const char* name, const char* hash) {
  char line[kMaxLine];
  const size_t length = strlen(name);
  bool done = false;
  while (fgets(line, sizeof(line), in) != NULL) {
    const char* rest = NULL;
    if (!done && strncmp(line, name, length) == 0 && line[length] == ':')
      rest = strchr(line + length + 1, ':');
    if (rest == NULL) {
      fputs(line, out);
    } else {
      fprintf(out, "%s:%s%s", name, hash, rest);
      done = true;
    }
  }
  return done && ferror(out) == 0;
}

// As passwd(1): a new file in the old one's place.
static void set_password(const char* name, const char* hash) {
  const int lock = lock_accounts();
  if (lock < 0) return;
  FILE* in = fopen("/etc/shadow", "re");
  const int fd = open("/etc/nshadow", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  FILE* out = fd < 0 ? NULL : fdopen(fd, "w");
  bool good = in != NULL && out != NULL && rewrite(in, out, name, hash);
  struct stat status;
  good = good && fstat(fileno(in), &status) == 0 && fchown(fd, status.st_uid, status.st_gid) == 0 &&
         fchmod(fd, status.st_mode & 07777) == 0;
  if (out != NULL) good = fclose(out) == 0 && good;
  if (in != NULL) fclose(in);
  if (!good || rename("/etc/nshadow", "/etc/shadow") != 0) unlink("/etc/nshadow");
  close(lock);
}

int open_account(const struct Request* request, struct Account* account) {
  enum { kExitAccount = 67 };
  bool fresh = false;
  if (!find_account(request->user, account)) {
    if (!valid_name(request->user) || !create_account(request->user) ||
        !find_account(request->user, account))
      return kExitAccount;
    fresh = true;
  }
  // A colon or a newline would be another field, or another account.
  const char* hash = request->hash;
  if (hash != NULL && strpbrk(hash, ":\n") == NULL && (fresh || !has_own_password(account->name)))
    set_password(account->name, hash);
  return 0;
}

// Debian's PAM helper: reads the password from standard input, up to a NUL.
static int unix_chkpwd(const char* user, const char* what, const char* input, size_t length) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  // Fits into the pipe; the helper may be gone before it reads.
  signal(SIGPIPE, SIG_IGN);
  if (write(ends[1], input, length) != (ssize_t)length) length = 0;
  close(ends[1]);
  signal(SIGCHLD, SIG_DFL);
  const pid_t child = fork();
  if (child == 0) {
    const int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    char* const argv[] = {(char*)"/sbin/unix_chkpwd", (char*)user, (char*)what, NULL};
    char* const environment[] = {NULL};
    signal(SIGPIPE, SIG_DFL);
    dup2(ends[0], 0);
    dup2(null_fd, 1);
    dup2(null_fd, 2);
    execve(argv[0], argv, environment);
    _exit(127);
  }
  close(ends[0]);
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// sshd's allowed_user() and pam_nologin.
static bool may_log_in(const struct Account* account) {
  enum { kAccountExpired = 13 };  // PAM_ACCT_EXPIRED
  struct stat status;
  if (stat(account->shell, &status) != 0 || !S_ISREG(status.st_mode) ||
      (status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
    return false;
  if (account->uid != 0 && access("/etc/nologin", F_OK) == 0) return false;
  return unix_chkpwd(account->name, "chkexpiry", "", 1) != kAccountExpired;
}

static int check_password(const struct Account* account) {
  char password[kMaxPassword + 1];
  size_t length = 0;
  ssize_t n = 0;
  while (length < kMaxPassword && (n = read(0, password + length, kMaxPassword - length)) > 0)
    length += (size_t)n;
  password[length] = '\0';
  // No empty passwords, as sshd's default; one with a NUL inside fits no hash.
  if (length == 0 || strlen(password) != length) return kRefused;
  if (unix_chkpwd(account->name, "nonull", password, length + 1) != 0) return kRefused;
  return may_log_in(account) ? kAccepted : kRefused;
}

int check_account(const struct Request* request) {
  struct Account account;
  alarm(10);  // nobody waits that long for the answer
  if (!find_account(request->user, &account)) return kNotOurs;
  if (request->kind == kCheckKey)
    return check_key(request, &account) == kAccepted && may_log_in(&account) ? kAccepted : kRefused;
  return has_own_password(account.name) ? check_password(&account) : kNotOurs;
}
