// The agent: starts the programs of all channels from inside, as the sshd of a real server does, so
// that `ps` shows the same tree and a channel costs one message. README.md describes its protocol.
#ifndef SANDTRAP_GUEST_AGENT_H
#define SANDTRAP_GUEST_AGENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "login.h"

#define AGENT_TITLE "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"

// True for argv[0] == AGENT_TITLE: we are it.
bool is_agent(char* const* argv);
// Called as `sshd-session agent` with the warden's socket on descriptor 0: becomes the agent.
_Noreturn void become_agent(char** argv);
_Noreturn void run_agent(char** argv);

// monitor.c: the process between the agent and the user's shell. `fds`: control, then the terminal,
// or standard input, output and error.
_Noreturn void run_monitor(struct Request* request, const int* fds, size_t count);
// Overwrites the title that ps shows; it never grows beyond AGENT_TITLE.
void set_title(const char* title);

#endif
