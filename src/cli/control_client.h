// One request to a running warden (warden/control.h).
#pragma once

#include <chrono>
#include <string>

#include "base/error.h"

namespace sandtrap::cli {

// kUnavailable: no warden runs on this folder. A cleanup removes many disks, hence the patience.
base::Result<std::string> ask_warden(const std::string& run_dir, const std::string& request,
                                     std::chrono::seconds patience = std::chrono::minutes(5));

}  // namespace sandtrap::cli
