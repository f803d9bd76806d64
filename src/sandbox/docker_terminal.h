// The terminal of a process in a container, when its pid is visible here. Closing the stream of an
// exec does not hang its terminal up: the engine keeps the other end. sshd's closing does, and a
// shell that missed the SIGHUP while it started finds out by the failing read. So we hang it up.
#pragma once

#include <sys/types.h>

#include <optional>

#include "base/error.h"
#include "base/fd.h"

namespace sandtrap::sandbox {

struct TerminalIdentity {
  dev_t filesystem = 0, device = 0;
};

// Of descriptor 0 of `pid`; empty when that is no pseudo terminal. Opens nothing.
std::optional<TerminalIdentity> terminal_of(pid_t pid);

// vhangup(2) of exactly that terminal. By now descriptor 0 is whatever the attacker made it: it is
// used only if it still is the terminal that `terminal` names, and if `pidfd` proves the pid.
base::Status hang_up_terminal(pid_t pid, const base::Fd& pidfd, const TerminalIdentity& terminal);

}  // namespace sandtrap::sandbox
