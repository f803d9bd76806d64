// Parts of `login`, the program that turns one SSH channel into one process, as sshd's own child
// does. README.md describes its arguments. Single-threaded; what becomes the shell leaves nothing
// of itself behind.
#ifndef SANDTRAP_GUEST_LOGIN_H
#define SANDTRAP_GUEST_LOGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { kMaxEnvironment = 256, kMaxName = 32 };

enum Kind { kShell, kExec, kSubsystem, kCheckPassword, kCheckKey };

struct Request {
  enum Kind kind;
  const char* user;
  char* command;     // exec: for -c; subsystem: its name
  bool tty;          // fd 0 is a terminal
  bool wait;         // start=wait: announce ourselves, go on when told to
  const char* term;  // TERM
  unsigned short columns, rows, width_px, height_px;
  unsigned char* modes;  // RFC 4254 section 8
  size_t modes_length;
  char* env[kMaxEnvironment];  // NAME=VALUE from the client and of the connection
  size_t env_count;
  char* hash;    // crypt(3): the user's password, if the account has none of its own
  char* client;  // check-key: the peer's address
};

struct Account {
  char name[kMaxName + 1];
  uid_t uid;
  gid_t gid;
  char home[256];
  char shell[256];
};

struct Environment {
  char* entries[2 * kMaxEnvironment];
  size_t count;
};

// arguments.c: decodes NAME=VALUE arguments into `out`; false on anything that is not well-formed.
bool parse_arguments(int argc, char** argv, struct Request* out);
void free_request(struct Request* request);
// Overwrites argv, so that ps shows what it shows for sshd's child.
void hide_arguments(int argc, char** argv, const char* title);

// login.c
void reset_signals(void);
void umask_and_root(void);  // 022, and no folder of anybody's held
// Becomes the user's shell; the standard streams and the session are the caller's work.
_Noreturn void run_program(const struct Request* request, const struct Account* account);

// account.c
bool valid_name(const char* name);
bool find_account(const char* name, struct Account* out);
// useradd(8) for a name that does not exist yet: it must look as if it had always been there.
bool create_account(const char* name);
bool become(const struct Account* account);  // groups, then gid, then uid
gid_t group_id(const char* name, gid_t otherwise);

// terminal.c: termios, window size, owner of the tty on fd 0, controlling terminal.
void prepare_terminal(const struct Request* request, const struct Account* account);

// Writes "\006PID\n" and waits for one byte: the engine learns which process this is before any
// of the user's bytes flow, and that what it reads comes from us and not from a failing runtime.
bool announce_and_wait(bool tty);

// environment.c
void build_environment(const struct Request* request, const struct Account* account,
                       const char* tty, struct Environment* out);
// The value of `name` among NAME=VALUE strings, or NULL.
const char* lookup(char* const* entries, size_t count, const char* name);

// records.c: what sshd writes and prints at a login.
void print_motd(void);
// Prints "Last login" if asked to and there was one; enters this login into utmp, wtmp and lastlog.
void record_login(const struct Account* account, const char* tty, const char* peer, bool print);

#endif
