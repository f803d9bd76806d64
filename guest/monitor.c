// The process between the agent and a user's shell: sshd's own for that session. It waits for the
// shell, passes signals on, and says on the control socket how it ended. For a user other than root
// there are two, as with sshd's privilege separation.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accounts.h"
#include "agent.h"

enum { kControl = 3 };

static void on_child(int number) {
  (void)number;
}

// {'X', kind, value, core}: kind 0 an exit status, 1 a signal.
static void report(int status) {
  unsigned char record[4] = {'X', 0, 0, 0};
  if (WIFSIGNALED(status)) {
    record[1] = 1;
    record[2] = (unsigned char)WTERMSIG(status);
    record[3] = WCOREDUMP(status) ? 1 : 0;
  } else {
    record[2] = (unsigned char)WEXITSTATUS(status);
  }
  send(kControl, record, sizeof(record), MSG_NOSIGNAL);
}

static _Noreturn void finish(int exit_status) {
  report((exit_status & 0xff) << 8);
  _exit(0);
}

// Signals that the client sends go to the process group of the session's first process.
static bool pass_signals(pid_t child) {
  unsigned char numbers[16];
  for (;;) {
    const ssize_t n = recv(kControl, numbers, sizeof(numbers), MSG_DONTWAIT);
    if (n == 0) return false;  // the warden has let go; the program goes on
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    for (ssize_t i = 0; i < n; ++i)
      // In its first moments it leads no group yet.
      if (kill(-child, numbers[i]) != 0) kill(child, numbers[i]);
  }
}

static _Noreturn void wait_for(pid_t child) {
  sigset_t none;
  sigemptyset(&none);
  struct pollfd control = {.fd = kControl, .events = POLLIN};
  for (;;) {
    int status = 0;
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) {
      report(status);
      _exit(0);
    }
    if (ended < 0 && errno != EINTR) _exit(1);
    control.revents = 0;
    if (ppoll(&control, 1, NULL, &none) <= 0) continue;  // SIGCHLD: look again
    if (!pass_signals(child)) control.fd = -1;
  }
}

static void title_for(const struct Request* request, const struct Account* account) {
  char tty[64], title[128];
  const char* where = "notty";
  if (request->tty && ttyname_r(0, tty, sizeof(tty)) == 0)
    where = strncmp(tty, "/dev/", 5) == 0 ? tty + 5 : tty;
  snprintf(title, sizeof(title), "sshd: %s@%s", account->name, where);
  set_title(title);
}

static void own_streams(const int* fds, size_t count) {
  // Above all of them first: a descriptor may have one of the numbers that it is to be moved to.
  int high[4];
  for (size_t i = 0; i < count; ++i) high[i] = fcntl(fds[i], F_DUPFD, 16);
  dup2(high[0], kControl);
  fcntl(kControl, F_SETFD, FD_CLOEXEC);
  for (int fd = 0; fd < 3; ++fd) dup2(high[count == 2 ? 1 : fd + 1], fd);
  close_range(kControl + 1, ~0U, 0);
}

// sshd's unprivileged child; its parent stays root and only waits.
static void split_privileges(const struct Account* account) {
  char title[64];
  snprintf(title, sizeof(title), "sshd: %s [priv]", account->name);
  set_title(title);
  const pid_t child = fork();
  if (child < 0) finish(254);
  if (child == 0) return;
  close_range(kControl, ~0U, 0);
  const int null_fd = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; ++fd) dup2(null_fd, fd);
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
  }
  _exit(0);
}

void run_monitor(struct Request* request, const int* fds, size_t count) {
  setsid();
  signal(SIGCHLD, SIG_DFL);
  own_streams(fds, count);
  const char started = 'S';
  if (send(kControl, &started, 1, MSG_NOSIGNAL) != 1) _exit(0);  // abandoned meanwhile

  struct Account account;
  if (request->kind >= kCheckPassword) {
    set_title("sshd: unknown [priv]");
    finish(check_account(request));
  }
  const int refused = open_account(request, &account);
  if (refused != 0) finish(refused);
  if (account.uid != 0) split_privileges(&account);
  sigset_t child_signal;
  sigemptyset(&child_signal);
  sigaddset(&child_signal, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child_signal, NULL);
  signal(SIGCHLD, on_child);
  title_for(request, &account);
  const pid_t child = fork();
  if (child < 0) finish(254);
  if (child == 0) {
    char title[64];
    snprintf(title, sizeof(title), "sshd: %s", account.name);
    set_title(title);
    reset_signals();
    setsid();
    close(kControl);
    run_program(request, &account);
  }
  const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; ++fd) dup2(null_fd, fd);
  if (account.uid != 0) become(&account);
  wait_for(child);
}
