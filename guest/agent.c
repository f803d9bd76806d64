#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kSocket = 3, kMaxMessage = 160 * 1024, kMaxArguments = 512, kMaxDescriptors = 4 };

static char* g_title;  // argv[0], which the kernel shows
static size_t g_title_room;

bool is_agent(char* const* argv) {
  return strcmp(argv[0], AGENT_TITLE) == 0;
}

void set_title(const char* title) {
  // As OpenSSH's own setproctitle on Linux: the old text is filled with NUL.
  memset(g_title, 0, g_title_room);
  strncpy(g_title, title, g_title_room);
}

void become_agent(char** argv) {
  (void)argv;
  char* const title[] = {(char*)AGENT_TITLE, NULL};
  char* const environment[] = {NULL};
  // Started by the engine our parent lives outside: let the sandbox's first process be it.
  if (getppid() == 0) {
    const pid_t child = fork();
    if (child != 0) _exit(child < 0 ? 1 : 0);
    setsid();
  }
  execve("/proc/self/exe", title, environment);
  _exit(127);
}

static void own_descriptors(void) {
  if (dup2(0, kSocket) != kSocket) _exit(1);
  fcntl(kSocket, F_SETFD, FD_CLOEXEC);
  const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; ++fd) dup2(null_fd, fd);
  close_range(kSocket + 1, ~0U, 0);
}

static size_t take_descriptors(struct msghdr* message, int* fds) {
  size_t count = 0;
  for (struct cmsghdr* at = CMSG_FIRSTHDR(message); at != NULL; at = CMSG_NXTHDR(message, at)) {
    if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) continue;
    const size_t here = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < here; ++i) {
      int fd = -1;
      memcpy(&fd, CMSG_DATA(at) + i * sizeof(int), sizeof(int));
      if (count < kMaxDescriptors) {
        fds[count++] = fd;
      } else {
        close(fd);
      }
    }
  }
  return count;
}

// The arguments of one message, each ended by a NUL.
static int split_arguments(char* text, size_t length, char** argv) {
  int argc = 0;
  if (length == 0 || text[length - 1] != '\0') return 0;
  for (char* at = text; at < text + length && argc < kMaxArguments; at += strlen(at) + 1)
    argv[argc++] = at;
  argv[argc] = NULL;
  return argc;
}

// The warden gave up waiting (we were stopped, say) and has started the program another way.
static bool abandoned(int control) {
  struct pollfd one = {.fd = control, .events = 0};
  return poll(&one, 1, 0) > 0 && (one.revents & (POLLHUP | POLLERR)) != 0;
}

static void start(char* text, size_t length, const int* fds, size_t count) {
  static char* argv[kMaxArguments + 1];
  static struct Request request;
  const int argc = split_arguments(text, length, argv);
  if (argc == 0 || (count != 2 && count != 4) || abandoned(fds[0])) return;
  const char failed = 'F';
  if (!parse_arguments(argc, argv, &request)) {
    send(fds[0], &failed, 1, MSG_NOSIGNAL);
    free_request(&request);
    return;
  }
  const pid_t child = fork();
  if (child == 0) run_monitor(&request, fds, count);
  if (child < 0) send(fds[0], &failed, 1, MSG_NOSIGNAL);
  free_request(&request);
}

void run_agent(char** argv) {
  static char text[kMaxMessage];
  g_title = argv[0];
  g_title_room = strlen(argv[0]);
  prctl(PR_SET_NAME, "sshd");
  own_descriptors();
  reset_signals();
  signal(SIGCHLD, SIG_IGN);  // monitors report by themselves; nobody waits for them
  umask_and_root();
  for (;;) {
    struct iovec part = {.iov_base = text, .iov_len = sizeof(text)};
    union {
      struct cmsghdr header;
      char room[CMSG_SPACE(kMaxDescriptors * sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof(control.room)};
    const ssize_t length = recvmsg(kSocket, &message, MSG_CMSG_CLOEXEC);
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) _exit(0);  // the warden has gone, or wants no more of us
    int fds[kMaxDescriptors];
    const size_t count = take_descriptors(&message, fds);
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
      start(text, (size_t)length, fds, count);
    for (size_t i = 0; i < count; ++i) close(fds[i]);
  }
}
