// One request to a running warden (warden/control.h).
#pragma once

#include <string>

#include "base/error.h"

namespace sandtrap::app {

// kUnavailable: no warden runs on this folder.
base::Result<std::string> ask_warden(const std::string& run_dir, const std::string& request);

}  // namespace sandtrap::app
