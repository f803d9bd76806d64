#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "login.h"

// The C library's own look-ups would load NSS modules, which a static program must not. So the
// files are read here; an image has no other directory of users.

enum { kMaxLine = 8192 };

// Splits `line` at colons into at most `max` fields; returns how many there are.
static size_t split(char* line, char** fields, size_t max) {
  size_t count = 0;
  line[strcspn(line, "\n")] = '\0';
  while (count < max) {
    fields[count++] = line;
    char* colon = strchr(line, ':');
    if (colon == NULL) break;
    *colon = '\0';
    line = colon + 1;
  }
  return count;
}

bool valid_name(const char* name) {
  const size_t length = strlen(name);
  if (length == 0 || length > kMaxName) return false;
  for (size_t i = 0; i < length; ++i) {
    const char c = name[i];
    const bool first = (c >= 'a' && c <= 'z') || c == '_';
    const bool later = (c >= '0' && c <= '9') || c == '.' || c == '-';
    if (!first && !(i > 0 && later)) return false;
  }
  return true;
}

bool find_account(const char* name, struct Account* out) {
  FILE* file = fopen("/etc/passwd", "re");
  if (file == NULL) return false;
  char line[kMaxLine];
  bool found = false;
  while (!found && fgets(line, sizeof(line), file) != NULL) {
    char* fields[7];
    if (split(line, fields, 7) != 7 || strcmp(fields[0], name) != 0) continue;
    snprintf(out->name, sizeof(out->name), "%s", fields[0]);
    out->uid = (uid_t)strtoul(fields[2], NULL, 10);
    out->gid = (gid_t)strtoul(fields[3], NULL, 10);
    snprintf(out->home, sizeof(out->home), "%s", fields[5]);
    snprintf(out->shell, sizeof(out->shell), "%s", fields[6][0] == '\0' ? "/bin/sh" : fields[6]);
    found = true;
  }
  fclose(file);
  return found;
}

bool create_account(const char* name) {
  char* const argv[] = {(char*)"useradd",   (char*)"-m", (char*)"-s",
                        (char*)"/bin/bash", (char*)name, NULL};
  char* const envp[] = {(char*)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
  const pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) {
    const int null_fd = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; ++fd) dup2(null_fd, fd);
    execve("/usr/sbin/useradd", argv, envp);
    _exit(127);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
  }
  // Two channels may race here: useradd serialises, the second one fails, the user exists.
  struct Account account;
  return find_account(name, &account);
}

gid_t group_id(const char* name, gid_t otherwise) {
  FILE* file = fopen("/etc/group", "re");
  if (file == NULL) return otherwise;
  char line[kMaxLine];
  gid_t gid = otherwise;
  while (fgets(line, sizeof(line), file) != NULL) {
    char* fields[4];
    if (split(line, fields, 4) < 3 || strcmp(fields[0], name) != 0) continue;
    gid = (gid_t)strtoul(fields[2], NULL, 10);
    break;
  }
  fclose(file);
  return gid;
}

static bool is_member(char* members, const char* name) {
  for (char* one = strtok(members, ","); one != NULL; one = strtok(NULL, ","))
    if (strcmp(one, name) == 0) return true;
  return false;
}

bool become(const struct Account* account) {
  gid_t groups[256];
  size_t count = 0;
  groups[count++] = account->gid;
  FILE* file = fopen("/etc/group", "re");
  char line[kMaxLine];
  while (file != NULL && count < 256 && fgets(line, sizeof(line), file) != NULL) {
    char* fields[4];
    if (split(line, fields, 4) != 4 || !is_member(fields[3], account->name)) continue;
    const gid_t gid = (gid_t)strtoul(fields[2], NULL, 10);
    if (gid != account->gid) groups[count++] = gid;
  }
  if (file != NULL) fclose(file);
  return setgroups(count, groups) == 0 &&
         setresgid(account->gid, account->gid, account->gid) == 0 &&
         setresuid(account->uid, account->uid, account->uid) == 0;
}
