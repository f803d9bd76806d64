// The guest's agent as the warden sees it: it starts programs from inside the sandbox, for the
// price of one message (guest/README.md). Both engines use it; where there is none, or it fell
// silent, they exec.
//
// The attacker may own the other end. So nothing is ever read from the agent's own socket, no
// descriptor is ever taken from it, and what is said about a program comes on a socket of this
// program, of which a fixed number of small packets is read. No call blocks.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>

#include "base/error.h"
#include "base/fd.h"
#include "sandbox/agent_streams.h"
#include "sandbox/engine.h"

namespace sandtrap::sandbox {

class Agent {
 public:
  // A program must have begun within `start_limit`.
  Agent(base::Fd socket, SandboxDevices devices, std::chrono::milliseconds start_limit);

  // Waits until it has begun. kUnavailable: the agent is of no use any more, and has been told to
  // go; kUnsupported: this one is too large for a message. After both an exec may be tried.
  Task<base::Result<std::unique_ptr<Process>>> start(ProcessSpec spec);
  bool usable() const { return static_cast<bool>(socket_); }

 private:
  base::Fd socket_;
  SandboxDevices devices_;
  std::chrono::milliseconds start_limit_;
};

// Whether an exec by the engine may do what the agent could not.
bool may_exec_instead(const base::Error& error);

// A real program, `/bin/true`, by exec(); a warm sandbox counts only after it.
Task<base::Status> verify_by_exec(Sandbox& sandbox, std::chrono::milliseconds limit);

// The two ends of an agent's socket.
struct AgentSocket {
  base::Fd ours, theirs;
};
base::Result<AgentSocket> make_agent_socket();

// Fetches our end from the first process of a fresh sandbox, `pid`, where the engine could not hand
// the other end in. Only while nobody else is inside.
Task<base::Result<base::Fd>> fetch_agent_socket(pid_t pid);

}  // namespace sandtrap::sandbox
