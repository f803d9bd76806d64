// Processor time that a sandbox left unused, for its next moments: as much again as its share of
// one period (cpu.max.burst of cgroup v2, cpu.cfs_burst_us of v1). On the whole it gets no more.
//
// Without it a login is seen to falter: the hash of a password takes most of what half a processor
// allows within a tenth of a second, and the shell that follows stands still until the next.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/error.h"

namespace sandtrap::sandbox {

// For the control group of `pid`, the first process of a fresh sandbox. It goes on when the sandbox
// is frozen or adopted. Fails where the kernel (before 5.14) or a read-only mount has no such
// thing.
base::Status allow_cpu_burst(pid_t pid);

// `table`: the text of /proc/PID/cgroup; `root`: where the hierarchies are mounted.
base::Status allow_cpu_burst(std::string_view table, const std::string& root);

}  // namespace sandtrap::sandbox
