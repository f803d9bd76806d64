// Runs as root of the sandbox for every channel and becomes the user's process, as the child of
// sshd does: account, terminal, environment, messages, shell. Arguments: README.md.
#include "login.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accounts.h"
#include "agent.h"

enum { kExitUsage = 64 };

void reset_signals(void) {
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

// sshd makes the pipes as the user, so that /dev/stdout can be opened by name.
static void own_pipes(const struct Account* account) {
  for (int fd = 0; fd < 3; ++fd) {
    struct stat status;
    if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) &&
        fchown(fd, account->uid, account->gid) != 0)
      return;  // not ours to give: a pipe of the engine's own
  }
}

static void enter_home(const char* home) {
  if (chdir(home) == 0) return;
  fprintf(stderr, "Could not chdir to home directory %s: %s\n", home, strerror(errno));
  if (chdir("/") != 0) _exit(1);
}

static _Noreturn void run_shell(const struct Request* request, const struct Account* account,
                                struct Environment* environment) {
  const char* slash = strrchr(account->shell, '/');
  const char* base = slash == NULL ? account->shell : slash + 1;
  char name[264];
  snprintf(name, sizeof(name), "%s%s", request->kind == kShell ? "-" : "", base);
  char* argv[4] = {name, NULL, NULL, NULL};
  if (request->kind != kShell) {
    argv[1] = (char*)"-c";
    argv[2] =
        request->kind == kSubsystem ? (char*)"/usr/lib/openssh/sftp-server" : request->command;
  }
  execve(account->shell, argv, environment->entries);
  perror(account->shell);
  _exit(1);
}

void umask_and_root(void) {
  umask(022);
  if (chdir("/") != 0) _exit(1);
}

void run_program(const struct Request* request, const struct Account* account) {
  char tty[64];
  const bool has_tty = request->tty && ttyname_r(0, tty, sizeof(tty)) == 0;
  if (has_tty) prepare_terminal(request, account);
  static struct Environment environment;
  build_environment(request, account, has_tty ? tty : NULL, &environment);

  if (request->kind == kShell) {
    // Both look into the home directory of the user who is about to get it.
    if (chdir(account->home) != 0 && chdir("/") != 0) _exit(1);
    print_motd();
  }
  if (has_tty) {
    char peer[256] = "";
    const char* connection = lookup(request->env, request->env_count, "SSH_CONNECTION");
    if (connection != NULL)
      snprintf(peer, sizeof(peer), "%.*s", (int)strcspn(connection, " "), connection);
    record_login(account, tty, peer, request->kind == kShell);
  }
  own_pipes(account);
  if (!become(account)) _exit(1);
  enter_home(account->home);
  run_shell(request, account, &environment);
}

// Started by the engine for one program.
static int run_alone(int argc, char** argv) {
  struct Request request;
  if (!parse_arguments(argc - 1, argv + 1, &request)) return kExitUsage;
  char title[64];
  snprintf(title, sizeof(title), "sshd: %.32s", request.user);
  hide_arguments(argc, argv, title);
  reset_signals();
  umask(022);
  if (getsid(0) != getpid()) setsid();
  close_range(3, ~0U, 0);
  if (request.wait && !announce_and_wait(request.tty)) return kExitUsage;
  if (request.kind >= kCheckPassword) return check_account(&request);
  if (request.kind == kSubsystem && strcmp(request.command, "sftp") != 0) return kExitUsage;
  struct Account account;
  const int refused = open_account(&request, &account);
  if (refused != 0) return refused;
  run_program(&request, &account);
}

int main(int argc, char** argv) {
  if (argc < 1) return kExitUsage;
  if (is_agent(argv)) run_agent(argv);
  if (argc == 2 && strcmp(argv[1], "agent") == 0) become_agent(argv);
  return argc < 2 ? kExitUsage : run_alone(argc, argv);
}
