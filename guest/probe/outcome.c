// What an attack has to say, and the small things that several attacks share.
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "probe.h"

static struct outcome make(enum kind kind, int error, long long number, const char* format,
                           va_list words) {
  struct outcome result = {.kind = kind, .error = error, .value = number};
  vsnprintf(result.detail, sizeof result.detail, format, words);
  for (char* c = result.detail; *c != '\0'; ++c)
    if (*c < ' ' || *c > '~') *c = '?';
  return result;
}

struct outcome denied(int error, const char* format, ...) {
  va_list words;
  va_start(words, format);
  const struct outcome result = make(DENIED, error, 0, format, words);
  va_end(words);
  return result;
}

struct outcome done(const char* format, ...) {
  va_list words;
  va_start(words, format);
  const struct outcome result = make(DONE, 0, 0, format, words);
  va_end(words);
  return result;
}

struct outcome value(long long number, const char* format, ...) {
  va_list words;
  va_start(words, format);
  const struct outcome result = make(VALUE, 0, number, format, words);
  va_end(words);
  return result;
}

struct outcome cannot(int error, const char* format, ...) {
  va_list words;
  va_start(words, format);
  const struct outcome result = make(CANNOT, error, 0, format, words);
  va_end(words);
  return result;
}

static bool is_refusal(int error) {
  return error == EPERM || error == EACCES || error == ENOSYS || error == EROFS ||
         error == ENOENT || error == ENXIO || error == ENODEV || error == EAFNOSUPPORT ||
         error == EPROTONOSUPPORT || error == ESOCKTNOSUPPORT || error == ELOOP ||
         error == ENOTDIR || error == ESRCH || error == EOPNOTSUPP;
}

void attempt(struct attempts* all, const char* name, long result) {
  const int error = errno;
  ++all->count;
  if (result < 0 && is_refusal(error)) {
    all->last_error = error;
  } else if (all->broken == NULL) {
    all->broken = name;
    all->broken_error = result < 0 ? error : 0;
  }
}

struct outcome verdict(const struct attempts* all) {
  if (all->broken == NULL) {
    return denied(all->last_error, "%d of %d refused", all->count, all->count);
  }
  if (all->broken_error == 0) return done("%s worked", all->broken);
  return done("%s was not refused: only its arguments were (%s)", all->broken,
              strerror(all->broken_error));
}

long read_text(const char* path, char* buffer, size_t size) {
  const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return -1;
  size_t length = 0;
  ssize_t got = 0;
  while (length < size - 1 && (got = read(file, buffer + length, size - 1 - length)) > 0)
    length += (size_t)got;
  const int error = errno;
  close(file);
  buffer[length] = '\0';
  errno = error;
  return got < 0 && length == 0 ? -1 : (long)length;
}

long open_for_writing(const char* path) {
  const int file = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file >= 0) close(file);
  return file;
}
