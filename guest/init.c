// Process 1 of a sandbox: starts the agent, reaps what is orphaned, ends at once when told to, and
// otherwise sleeps. Installed as /usr/lib/systemd/systemd, started as /sbin/init, so that `ps`
// shows what it shows on any Debian server.
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// The warden's end, where the engine cannot hand us the other one: it fetches this very number
// (pidfd_getfd(2)) while nobody else is in the sandbox, then sends SIGUSR1.
enum { kWardensEnd = 3, kOurEnd = 4 };

static bool is_agent_socket(int fd) {
  int type = 0;
  socklen_t length = sizeof(type);
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET;
}

static void agent_socket(void) {
  if (is_agent_socket(0)) {
    const int copy = fcntl(0, F_DUPFD, 16);
    close_range(kWardensEnd, 15, 0);
    dup3(copy, kOurEnd, O_CLOEXEC);
    close(copy);
    return;
  }
  int ends[2], high[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return;
  for (int i = 0; i < 2; ++i) {
    high[i] = fcntl(ends[i], F_DUPFD_CLOEXEC, 16);
    close(ends[i]);
  }
  dup3(high[0], kOurEnd, O_CLOEXEC);
  dup3(high[1], kWardensEnd, O_CLOEXEC);
  for (int i = 0; i < 2; ++i) close(high[i]);
}

// What the engine gave us as standard streams is of its making; systemd has /dev/null.
static void own_streams(void) {
  const int null_fd = open("/dev/null", O_RDWR);
  if (null_fd < 0) return;
  for (int fd = 0; fd < 3; ++fd) dup2(null_fd, fd);
  if (null_fd > 2) close(null_fd);
}

static pid_t start_agent(void) {
  const pid_t child = fork();
  if (child != 0) return child;
  char* const argv[] = {(char*)"sshd", (char*)"agent", NULL};
  char* const environment[] = {NULL};
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  setsid();
  if (dup2(kOurEnd, 0) == 0) execve("/usr/lib/openssh/sshd-session", argv, environment);
  _exit(127);
}

// As ssh.service has it, Restart=on-failure; after a `pkill sshd` as well. One that ended by itself
// has no more use for its socket, or cannot be run any more: the warden shall know.
static pid_t restarted(int status) {
  if (WIFSIGNALED(status)) return start_agent();
  close(kOurEnd);
  return -1;
}

int main(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  if (chdir("/") != 0) return 1;
  agent_socket();
  own_streams();
  pid_t agent = start_agent();
  // Last: by this name the warden knows that its end is there.
  prctl(PR_SET_NAME, "systemd");
  for (;;) {
    siginfo_t info;
    const int number = sigwaitinfo(&all, &info);
    if (number < 0) continue;
    // systemd re-executes itself for SIGTERM: `kill 1` from inside (the sender has a pid here) must
    // not end the machine. SIGINT and SIGPWR restart and power off; so does the engine's SIGTERM.
    const bool from_outside = info.si_code == SI_USER && info.si_pid == 0;
    if ((number == SIGTERM && from_outside) || number == SIGINT || number == SIGPWR) _exit(0);
    if (number == SIGUSR1 && from_outside) close(kWardensEnd);
    int status = 0;
    for (pid_t ended; (ended = waitpid(-1, &status, WNOHANG)) > 0;)
      if (ended == agent) agent = restarted(status);
  }
}
