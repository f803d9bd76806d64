// The gate's system call allow list (docs/gate.md). The last wall of confine(): after it the
// process can move bytes between the descriptors it has or is given, and nothing else.
#pragma once

#include "base/error.h"

namespace sandtrap::gate {

// What a call gets that no library makes by accident (execve, clone, ptrace, mount…). All other
// calls off the list get EPERM and a line in the kernel log.
enum class OnForbidden {
  kKill,   // the process dies: somebody else is steering it
  kError,  // EPERM, so that a test can watch each call fail
};

base::Status install_seccomp_filter(OnForbidden on_forbidden);

}  // namespace sandtrap::gate
