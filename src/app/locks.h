// Whether somebody holds a lock of run_dir, without touching it: trying to take it, for however
// short, could make a honeypot that starts in that moment believe that another one runs.
#pragma once

#include <string>

namespace sandtrap::app {

// By /proc/locks. False also where the holder is in a process namespace that is not ours.
bool is_locked(const std::string& path);

}  // namespace sandtrap::app
