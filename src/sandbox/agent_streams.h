// The descriptors of a program that the guest's agent starts. The warden makes them all and keeps
// its ends; the sandbox gets ends of its own. No open file description is shared between the two
// sides: whoever shares one can switch it to blocking, or read what is not his.
#pragma once

#include <sys/types.h>

#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "sandbox/engine.h"

namespace sandtrap::sandbox {

// What of a sandbox the warden needs to know for it. Looked at from outside, by the pid of its
// first process.
struct SandboxDevices {
  base::Fd ptmx;       // O_PATH: the multiplexer of its own devpts
  uid_t root_uid = 0;  // host ids of the sandbox's root
  gid_t root_gid = 0;
};

// Follows no link: safe also when an attacker is inside already.
base::Result<SandboxDevices> find_devices(pid_t pid);

struct AgentStreams {
  Process::Streams ours;
  std::vector<base::Fd> theirs;  // one: a terminal; three: input, output, error
};

base::Result<AgentStreams> open_terminal(const SandboxDevices& devices, const Terminal& terminal);
base::Result<AgentStreams> open_pipes(const SandboxDevices& devices);

}  // namespace sandtrap::sandbox
