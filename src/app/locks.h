// Whether somebody holds a lock of run_dir, without touching it: trying to take it, for however
// short, could make a honeypot that starts in that moment believe that another one runs.
#pragma once

#include <string>

namespace sandtrap::app {

// By /proc/locks. False also where the holder is in a process namespace that is not ours.
bool is_locked(const std::string& path);

// Whether a process of this role lives with that run_dir. The supervisor holds the role's lock too,
// so a process of the role's name must be there; where we may look, with this very lock open.
bool role_runs(const std::string& run_dir, const std::string& role);

}  // namespace sandtrap::app
