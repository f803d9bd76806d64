// Process descriptors: a handle that never means another process, and that can be waited for on
// the loop without SIGCHLD. Used for children (FakeEngine) and for processes of other parents that
// are visible here (DockerEngine).
#pragma once

#include <sys/types.h>

#include <optional>

#include "base/error.h"
#include "base/fd.h"
#include "sandbox/engine.h"

namespace sandtrap::sandbox {

base::Result<base::Fd> open_pidfd(pid_t pid);  // kNotFound when there is no such process
base::Status send_signal(const base::Fd& pidfd, int number);

// Returns when the process has ended (it may still be a zombie). The descriptor stays the caller's.
Task<base::Status> wait_for_end(const base::Fd& pidfd);

// The wait status of a process that somebody else reaped: Linux 6.15 and later (PIDFD_GET_INFO with
// PIDFD_INFO_EXIT). Empty where the kernel cannot tell, or while it is not reaped.
std::optional<ExitResult> exit_of_foreign(const base::Fd& pidfd);

ExitResult from_wait_status(int status);

}  // namespace sandtrap::sandbox
