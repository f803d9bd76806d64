#include <stdlib.h>
#include <string.h>

#include "login.h"

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// %XX stands for a byte: the engines' JSON carries no bytes that are not UTF-8. Decodes `text` to
// `out`, which has room for strlen(text) + 1. A NUL cannot be part of an argument of any program.
static bool decode(const char* text, char* out) {
  while (*text != '\0') {
    if (*text != '%') {
      *out++ = *text++;
      continue;
    }
    const int high = hex_digit(text[1]);
    const int low = high < 0 ? -1 : hex_digit(text[2]);
    if (low < 0 || high * 16 + low == 0) return false;
    *out++ = (char)(high * 16 + low);
    text += 3;
  }
  *out = '\0';
  return true;
}

static char* decoded_copy(const char* text) {
  char* out = malloc(strlen(text) + 1);
  if (out != NULL && decode(text, out)) return out;
  free(out);
  return NULL;
}

// "80x24x0x0"
static bool parse_size(const char* text, struct Request* out) {
  unsigned short* fields[] = {&out->columns, &out->rows, &out->width_px, &out->height_px};
  for (size_t i = 0; i < 4; ++i) {
    char* end = NULL;
    const unsigned long value = strtoul(text, &end, 10);
    if (end == text || *end != (i < 3 ? 'x' : '\0')) return false;
    // As sshd: the fields of winsize are 16 bits wide.
    *fields[i] = (unsigned short)value;
    text = end + 1;
  }
  return true;
}

static bool parse_modes(const char* text, struct Request* out) {
  const size_t length = strlen(text);
  if (length % 2 != 0) return false;
  out->modes = malloc(length / 2 + 1);
  if (out->modes == NULL) return false;
  for (size_t i = 0; i < length; i += 2) {
    const int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return false;
    out->modes[i / 2] = (unsigned char)(high * 16 + low);
  }
  out->modes_length = length / 2;
  return true;
}

static bool parse_kind(const char* text, struct Request* out) {
  if (strcmp(text, "shell") == 0) {
    out->kind = kShell;
  } else if (strcmp(text, "exec") == 0) {
    out->kind = kExec;
  } else if (strcmp(text, "subsystem") == 0) {
    out->kind = kSubsystem;
  } else if (strcmp(text, "check-password") == 0) {
    out->kind = kCheckPassword;
  } else if (strcmp(text, "check-key") == 0) {
    out->kind = kCheckKey;
  } else {
    return false;
  }
  return true;
}

// Long commands come in pieces: one argument is limited to 128 KiB, and decoding shrinks them.
static bool append_command(const char* text, struct Request* out) {
  const size_t before = out->command == NULL ? 0 : strlen(out->command);
  char* grown = realloc(out->command, before + strlen(text) + 1);
  if (grown == NULL) return false;
  out->command = grown;
  return decode(text, grown + before);
}

static bool parse_one(const char* key, size_t key_length, const char* value, struct Request* out) {
#define IS(name) (key_length == sizeof(name) - 1 && memcmp(key, name, sizeof(name) - 1) == 0)
  if (IS("kind")) return parse_kind(value, out);
  if (IS("user")) return (out->user = decoded_copy(value)) != NULL;
  if (IS("command")) return append_command(value, out);
  if (IS("term")) {
    out->tty = true;
    return (out->term = decoded_copy(value)) != NULL;
  }
  if (IS("hash")) return (out->hash = decoded_copy(value)) != NULL;
  if (IS("client")) return (out->client = decoded_copy(value)) != NULL;
  if (IS("start")) return out->wait = strcmp(value, "wait") == 0;
  if (IS("size")) return parse_size(value, out);
  if (IS("modes")) return parse_modes(value, out);
  if (IS("env")) {
    char* entry = decoded_copy(value);
    const bool usable =
        entry != NULL && strchr(entry, '=') != NULL && out->env_count < kMaxEnvironment;
    if (!usable) {
      free(entry);
      return false;
    }
    out->env[out->env_count++] = entry;
    return true;
  }
#undef IS
  return false;
}

bool parse_arguments(int argc, char** argv, struct Request* out) {
  memset(out, 0, sizeof(*out));
  for (int i = 0; i < argc; ++i) {
    const char* equals = strchr(argv[i], '=');
    if (equals == NULL || !parse_one(argv[i], (size_t)(equals - argv[i]), equals + 1, out))
      return false;
  }
  if (out->user == NULL) return false;
  return (out->kind != kExec && out->kind != kSubsystem) || out->command != NULL;
}

void free_request(struct Request* request) {
  for (size_t i = 0; i < request->env_count; ++i) free(request->env[i]);
  char* const texts[] = {(char*)request->user, request->command,      (char*)request->term,
                         request->hash,        (char*)request->modes, request->client};
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); ++i) free(texts[i]);
  memset(request, 0, sizeof(*request));
}

void hide_arguments(int argc, char** argv, const char* title) {
  char* const begin = argv[0];
  char* const end = argv[argc - 1] + strlen(argv[argc - 1]);
  memset(begin, 0, (size_t)(end - begin));
  strncpy(begin, title, (size_t)(end - begin));
}
