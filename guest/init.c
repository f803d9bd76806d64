// Process 1 of a sandbox: reaps what is orphaned, ends at once when told to, and otherwise sleeps.
// Installed as /usr/lib/systemd/systemd, started as /sbin/init, so that `ps` shows what it shows
// on any Debian server.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  prctl(PR_SET_NAME, "systemd");
  if (chdir("/") != 0) return 1;
  for (;;) {
    int signal_number = 0;
    if (sigwait(&all, &signal_number) != 0) continue;
    if (signal_number == SIGTERM || signal_number == SIGINT || signal_number == SIGPWR) _exit(0);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
  }
}
