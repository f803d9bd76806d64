// Process 1 of a sandbox: reaps what is orphaned, ends at once when told to, and otherwise sleeps.
// Installed as /usr/lib/systemd/systemd, started as /sbin/init, so that `ps` shows what it shows
// on any Debian server.
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// What the engine gave us as standard streams is of its making; systemd has /dev/null.
static void own_streams(void) {
  const int null_fd = open("/dev/null", O_RDWR);
  if (null_fd < 0) return;
  for (int fd = 0; fd < 3; ++fd) dup2(null_fd, fd);
  if (null_fd > 2) close(null_fd);
}

int main(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  prctl(PR_SET_NAME, "systemd");
  if (chdir("/") != 0) return 1;
  own_streams();
  for (;;) {
    siginfo_t info;
    const int number = sigwaitinfo(&all, &info);
    if (number < 0) continue;
    // systemd re-executes itself for SIGTERM: `kill 1` from inside (the sender has a pid here) must
    // not end the machine. SIGINT and SIGPWR restart and power off; so does the engine's SIGTERM.
    const bool from_outside = info.si_code == SI_USER && info.si_pid == 0;
    if ((number == SIGTERM && from_outside) || number == SIGINT || number == SIGPWR) _exit(0);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
  }
}
