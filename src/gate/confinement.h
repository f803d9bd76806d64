// Locks the gate's process in before it reads the first byte from a client: namespaces, an empty
// root, another user, no capabilities, resource limits, seccomp. A fixed sequence of steps, each of
// which succeeds or stops the start (docs/gate.md). Called as root, in a process without threads.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "gate/seccomp_filter.h"

namespace sandtrap::gate {

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
};
// "61801" or a name of /etc/passwd; never root. To be asked while there is a file system.
base::Result<Identity> resolve_user(const std::string& name);

struct ConfinementPlan {
  Identity identity;
  std::string run_dir;  // where an empty directory may be made if namespaces are not permitted
  std::uint64_t max_descriptors = 4096;
  OnForbidden on_forbidden = OnForbidden::kKill;
};

struct ConfinementReport {
  std::vector<std::string> missing;  // second walls that this host does not let us build
};

base::Result<ConfinementReport> confine(const ConfinementPlan& plan);

}  // namespace sandtrap::gate
