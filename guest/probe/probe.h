// probe: attacks the sandbox it runs in, one named attack at a time, and says in one line each what
// came of it. `sandtrap verify` carries it into a throw-away sandbox; no guest image holds it.
//
//   probe [KEY=VALUE …] NAME …
//   st1 NAME denied|done|value|cannot ERRNO NUMBER DETAIL
//
// No attack writes to what could be the host's: where opening something for writing is the proof,
// nothing is written, and dangerous system calls are made with arguments that they refuse.
#ifndef SANDTRAP_GUEST_PROBE_H
#define SANDTRAP_GUEST_PROBE_H

#include <stdbool.h>
#include <stddef.h>

enum kind { DENIED, DONE, VALUE, CANNOT };

struct outcome {
  enum kind kind;
  int error;
  long long value;
  char detail[200];
};

enum { kMaxTexts = 16, kTextLength = 256 };

struct params {  // what the host tells: limits, and marks of its own to look for
  long long pids, memory, disk, inodes, file_size, open_files;
  long long host_port, host_pid, bound;  // bound: bytes that the host can spare for one attack
  const char *abstract_name;
  char host_command[1][kTextLength];
  char addresses[kMaxTexts][kTextLength];  // of the host
  char texts[kMaxTexts][kTextLength];      // paths and names that must not be seen
  char devices[kMaxTexts][kTextLength];    // MAJOR:MINOR of the host's file systems
};

struct check {
  const char* name;
  struct outcome (*attack)(const struct params*);
  int seconds;
};

extern const struct check kNetworkChecks[], kLimitChecks[], kDiskChecks[], kKernelChecks[],
    kNamespaceChecks[], kIdentityChecks[], kProcChecks[], kLeakChecks[], kInfoChecks[];

struct outcome denied(int error, const char* format, ...) __attribute__((format(printf, 2, 3)));
struct outcome done(const char* format, ...) __attribute__((format(printf, 1, 2)));
struct outcome value(long long number, const char* format, ...)
    __attribute__((format(printf, 2, 3)));
struct outcome cannot(int error, const char* format, ...) __attribute__((format(printf, 2, 3)));

// Several attempts as one attack: the first that works decides; that a call refuses only its
// arguments counts as working, because then nothing stood before it.
struct attempts {
  const char* broken;
  int broken_error, last_error, count;
};
void attempt(struct attempts* all, const char* name, long result);
struct outcome verdict(const struct attempts* all);

// At most `size` - 1 bytes of a file, NUL behind them; -1 with errno.
long read_text(const char* path, char* buffer, size_t size);
// Opens for writing and closes again. `path` absent is denied too.
long open_for_writing(const char* path);

#endif
