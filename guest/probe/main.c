#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"

static const struct check* find(const char* name) {
  static const struct check* const kTables[] = {kNetworkChecks, kLimitChecks,     kDiskChecks,
                                                kKernelChecks,  kNamespaceChecks, kIdentityChecks,
                                                kProcChecks,    kLeakChecks,      kInfoChecks};
  for (size_t table = 0; table < sizeof kTables / sizeof *kTables; ++table)
    for (const struct check* check = kTables[table]; check->name != NULL; ++check)
      if (strcmp(check->name, name) == 0) return check;
  return NULL;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// In hexadecimal digits on the command line: what we look for must not be found in our own.
static bool add_text(char (*list)[kTextLength], const char* hex) {
  size_t slot = 0;
  while (slot < kMaxTexts && list[slot][0] != '\0') ++slot;
  const size_t length = strlen(hex) / 2;
  if (slot == kMaxTexts || length == 0 || length >= kTextLength) return false;
  for (size_t i = 0; i < length; ++i) {
    const int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    list[slot][i] = (char)(high * 16 + low);
  }
  return true;
}

static bool take_parameter(struct params* p, const char* word) {
  const struct {
    const char* key;
    long long* number;
  } numbers[] = {
      {"pids=", &p->pids},           {"memory=", &p->memory},       {"disk=", &p->disk},
      {"inodes=", &p->inodes},       {"file_size=", &p->file_size}, {"open_files=", &p->open_files},
      {"host_port=", &p->host_port}, {"host_pid=", &p->host_pid},   {"bound=", &p->bound}};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
    const size_t length = strlen(numbers[i].key);
    if (strncmp(word, numbers[i].key, length) != 0) continue;
    *numbers[i].number = strtoll(word + length, NULL, 10);
    return true;
  }
  if (strncmp(word, "address=", 8) == 0) return add_text(p->addresses, word + 8);
  if (strncmp(word, "text=", 5) == 0) return add_text(p->texts, word + 5);
  if (strncmp(word, "host_command=", 13) == 0)
    return p->host_command[0][0] == '\0' && add_text(p->host_command, word + 13);
  if (strncmp(word, "device=", 7) == 0) return add_text(p->devices, word + 7);
  if (strncmp(word, "abstract=", 9) == 0) {
    p->abstract_name = word + 9;
    return true;
  }
  return false;
}

// Each attack in a process group of its own: whatever it breaks, the next one runs.
static struct outcome run(const struct check* check, const struct params* p) {
  int ends[2];
  if (pipe(ends) != 0) return cannot(errno, "pipe");
  const pid_t child = fork();
  if (child < 0) return cannot(errno, "fork");
  if (child == 0) {
    setpgid(0, 0);
    close(ends[0]);
    const struct outcome result = check->attack(p);
    const ssize_t sent = write(ends[1], &result, sizeof result);
    _exit(sent == (ssize_t)sizeof result ? 0 : 1);
  }
  setpgid(child, child);
  close(ends[1]);
  struct outcome result;
  struct pollfd wait = {.fd = ends[0], .events = POLLIN};
  const int ready = poll(&wait, 1, check->seconds * 1000);
  const ssize_t got = ready > 0 ? read(ends[0], &result, sizeof result) : 0;
  close(ends[0]);
  kill(-child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  if (ready == 0) return cannot(ETIMEDOUT, "no result within %d s", check->seconds);
  if (got == (ssize_t)sizeof result) return result;
  return cannot(0, "the attack ended with wait status %d", status);
}

int main(int argc, char** argv) {
  static struct params params;  // too large for a small stack
  static const char* const kWords[] = {"denied", "done", "value", "cannot"};
  params.abstract_name = "";
  for (int i = 1; i < argc; ++i) {
    if (strchr(argv[i], '=') != NULL) {
      if (!take_parameter(&params, argv[i])) return 2;
      continue;
    }
    const struct check* check = find(argv[i]);
    const struct outcome result =
        check != NULL ? run(check, &params) : cannot(ENOSYS, "no such attack");
    printf("st1 %s %s %d %lld %s\n", argv[i], kWords[result.kind], result.error, result.value,
           result.detail);
    fflush(stdout);
  }
  return 0;
}
