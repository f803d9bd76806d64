// ~/.ssh/authorized_keys as sshd reads it: as the user, after StrictModes' look at the path.
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "accounts.h"

enum { kMaxKey = 16 * 1024, kMaxLines = 4096, kMaxLine = 24 * 1024 };

struct Offered {
  char text[kMaxKey];  // "ssh-ed25519 AAAA…"
  const char* type;
  const char* blob;  // base64 without padding
};

static void strip_padding(char* base64) {
  for (size_t n = strlen(base64); n > 0 && base64[n - 1] == '='; --n) base64[n - 1] = '\0';
}

static bool read_offered(struct Offered* out) {
  size_t length = 0;
  ssize_t n = 0;
  while (length < sizeof(out->text) - 1 &&
         (n = read(0, out->text + length, sizeof(out->text) - 1 - length)) > 0)
    length += (size_t)n;
  out->text[length] = '\0';
  char* space = strchr(out->text, ' ');
  if (space == NULL) return false;
  *space = '\0';
  out->type = out->text;
  out->blob = space + 1;
  strip_padding(space + 1);
  return out->type[0] != '\0' && out->blob[0] != '\0';
}

static bool trusted(const struct stat* status, uid_t uid) {
  return (status->st_uid == 0 || status->st_uid == uid) && (status->st_mode & 022) == 0;
}

// StrictModes: the file and every folder above it, up to the home directory.
static bool safe_path(const char* path, int fd, const struct Account* account) {
  char real[PATH_MAX], home[PATH_MAX];
  struct stat status;
  if (realpath(path, real) == NULL || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
      !trusted(&status, account->uid))
    return false;
  const bool has_home = realpath(account->home, home) != NULL;
  for (char* slash = strrchr(real, '/'); slash != NULL; slash = strrchr(real, '/')) {
    *(slash == real ? slash + 1 : slash) = '\0';
    if (stat(real, &status) != 0 || !trusted(&status, account->uid)) return false;
    if ((has_home && strcmp(real, home) == 0) || strcmp(real, "/") == 0) return true;
  }
  return false;
}

// "YYYYMMDD[HHMM[SS]]", local time, or UTC with a Z behind it.
static bool expired(const char* text) {
  struct tm when;
  memset(&when, 0, sizeof(when));
  const size_t digits = strspn(text, "0123456789");
  if (digits != 8 && digits != 12 && digits != 14) return true;
  const char* formats[] = {"%Y%m%d", "%Y%m%d%H%M", "%Y%m%d%H%M%S"};
  if (strptime(text, formats[(digits - 8 + 1) / 3], &when) == NULL) return true;
  when.tm_isdst = -1;
  const time_t at = text[digits] == 'Z' ? timegm(&when) : mktime(&when);
  return at <= time(NULL);
}

// A list of patterns of addresses; one that is negated and matches refuses. Masks are not known.
static bool from_allows(char* list, const char* client) {
  bool allowed = false;
  for (char* one = strtok(list, ","); one != NULL; one = strtok(NULL, ",")) {
    const bool negated = *one == '!';
    if (strchr(one, '/') != NULL) return false;
    if (client == NULL || fnmatch(one + (negated ? 1 : 0), client, 0) != 0) continue;
    if (negated) return false;
    allowed = true;
  }
  return allowed;
}

// One option. Those that would have to change what the session may do are not honoured: the line
// does not count then, which errs on the side of a refused login.
static bool option_allows(char* option, const char* client) {
  static const char* const kHarmless[] = {"no-agent-forwarding",
                                          "agent-forwarding",
                                          "no-port-forwarding",
                                          "port-forwarding",
                                          "no-x11-forwarding",
                                          "x11-forwarding",
                                          "pty",
                                          "user-rc",
                                          "no-user-rc",
                                          "no-touch-required"};
  for (size_t i = 0; i < sizeof(kHarmless) / sizeof(kHarmless[0]); ++i)
    if (strcasecmp(option, kHarmless[i]) == 0) return true;
  char* value = strchr(option, '=');
  if (value == NULL) return false;
  *value++ = '\0';
  size_t length = strlen(value);
  if (length < 2 || value[0] != '"' || value[length - 1] != '"') return false;
  value[length - 1] = '\0';
  ++value;
  if (strcasecmp(option, "from") == 0) return from_allows(value, client);
  if (strcasecmp(option, "expiry-time") == 0) return !expired(value);
  return strcasecmp(option, "environment") == 0 || strcasecmp(option, "permitopen") == 0 ||
         strcasecmp(option, "permitlisten") == 0;
}

// The end of the options that begin at `at`: a blank outside of quotes.
static char* end_of_options(char* at) {
  bool quoted = false;
  for (; *at != '\0' && (quoted || (*at != ' ' && *at != '\t')); ++at) {
    if (*at == '\\' && at[1] == '"') {
      ++at;
    } else if (*at == '"') {
      quoted = !quoted;
    }
  }
  return at;
}

static bool options_allow(char* at, const char* client) {
  while (*at != '\0') {
    char* end = at;
    for (bool quoted = false; *end != '\0' && (quoted || *end != ','); ++end)
      if (*end == '"') quoted = !quoted;
    const bool last = *end == '\0';
    *end = '\0';
    if (!option_allows(at, client)) return false;
    at = last ? end : end + 1;
  }
  return true;
}

static bool same_key(char* at, const struct Offered* offered) {
  const size_t type = strlen(offered->type);
  if (strncmp(at, offered->type, type) != 0 || (at[type] != ' ' && at[type] != '\t')) return false;
  at += type + strspn(at + type, " \t");
  at[strcspn(at, " \t")] = '\0';
  strip_padding(at);
  return strcmp(at, offered->blob) == 0;
}

static bool line_matches(char* line, const struct Offered* offered, const char* client) {
  line[strcspn(line, "\r\n")] = '\0';
  char* at = line + strspn(line, " \t");
  if (*at == '\0' || *at == '#') return false;
  const size_t type = strlen(offered->type);
  const bool bare = strncmp(at, offered->type, type) == 0 && (at[type] == ' ' || at[type] == '\t');
  if (bare) return same_key(at, offered);
  char* options = at;
  at = end_of_options(at);
  if (*at == '\0') return false;
  *at++ = '\0';
  at += strspn(at, " \t");
  return same_key(at, offered) && options_allow(options, client);
}

static bool file_has(const char* name, const struct Account* account, const struct Offered* offered,
                     const char* client) {
  char path[PATH_MAX];
  static char line[kMaxLine];
  snprintf(path, sizeof(path), "%s/.ssh/%s", account->home, name);
  const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return false;
  FILE* file = safe_path(path, fd, account) ? fdopen(fd, "r") : NULL;
  if (file == NULL) {
    close(fd);
    return false;
  }
  bool found = false;
  for (int i = 0; !found && i < kMaxLines && fgets(line, sizeof(line), file) != NULL; ++i)
    found = line_matches(line, offered, client);
  fclose(file);
  return found;
}

int check_key(const struct Request* request, const struct Account* account) {
  static struct Offered offered;
  if (!read_offered(&offered)) return kRefused;
  // The rest as the user: a link in his home leads nowhere that he could not go.
  if (setegid(account->gid) != 0 || seteuid(account->uid) != 0) return kRefused;
  const bool found = file_has("authorized_keys", account, &offered, request->client) ||
                     file_has("authorized_keys2", account, &offered, request->client);
  if (seteuid(0) != 0 || setegid(0) != 0) return kRefused;
  return found ? kAccepted : kRefused;
}
