#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "login.h"

static size_t name_length(const char* entry) {
  return strcspn(entry, "=");
}

const char* lookup(char* const* entries, size_t count, const char* name) {
  const size_t length = strlen(name);
  for (size_t i = 0; i < count; ++i)
    if (name_length(entries[i]) == length && memcmp(entries[i], name, length) == 0)
      return entries[i] + length + 1;
  return NULL;
}

// A later setting of the same name takes the earlier one's place, as in sshd.
static void put(struct Environment* out, char* entry) {
  const size_t length = name_length(entry);
  for (size_t i = 0; i < out->count; ++i)
    if (name_length(out->entries[i]) == length && memcmp(out->entries[i], entry, length) == 0) {
      out->entries[i] = entry;
      return;
    }
  const size_t room = sizeof(out->entries) / sizeof(out->entries[0]) - 1;
  if (out->count < room) out->entries[out->count++] = entry;
  out->entries[out->count] = NULL;
}

static void set(struct Environment* out, const char* name, const char* value) {
  char* entry = NULL;
  if (asprintf(&entry, "%s=%s", name, value) > 0) put(out, entry);
}

// pam_env's files: NAME=VALUE lines, `export` and one pair of quotes tolerated.
static void read_file(struct Environment* out, const char* path) {
  FILE* file = fopen(path, "re");
  if (file == NULL) return;
  char line[1024];
  while (fgets(line, sizeof(line), file) != NULL) {
    line[strcspn(line, "\n#")] = '\0';
    char* at = line + strspn(line, " \t");
    if (strncmp(at, "export ", 7) == 0) at += 7;
    char* equals = strchr(at, '=');
    if (equals == NULL || equals == at) continue;
    *equals = '\0';
    char* value = equals + 1;
    const size_t length = strlen(value);
    if (length >= 2 && (*value == '"' || *value == '\'') && value[length - 1] == *value) {
      value[length - 1] = '\0';
      ++value;
    }
    set(out, at, value);
  }
  fclose(file);
}

void build_environment(const struct Request* request, const struct Account* account,
                       const char* tty, struct Environment* out) {
  out->count = 0;
  out->entries[0] = NULL;
  // sshd's order: what the client sent, the user's, PAM's, the connection's.
  for (size_t i = 0; i < request->env_count; ++i)
    if (strncmp(request->env[i], "SSH_", 4) != 0) put(out, request->env[i]);
  set(out, "USER", account->name);
  set(out, "LOGNAME", account->name);
  set(out, "HOME", account->home);
  // Debian's login.defs: ENV_SUPATH and ENV_PATH, as sshd is built to use them.
  set(out, "PATH",
      account->uid == 0 ? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
                        : "/usr/local/bin:/usr/bin:/bin:/usr/games");
  set(out, "SHELL", account->shell);
  if (request->term != NULL) set(out, "TERM", request->term);
  set(out, "MOTD_SHOWN", "pam");
  read_file(out, "/etc/environment");
  read_file(out, "/etc/default/locale");
  for (size_t i = 0; i < request->env_count; ++i)
    if (strncmp(request->env[i], "SSH_", 4) == 0) put(out, request->env[i]);
  if (tty != NULL) set(out, "SSH_TTY", tty);
}
