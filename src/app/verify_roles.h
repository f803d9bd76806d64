// The gate and the scribe under `sandtrap verify`: started as `serve` starts them and looked at
// from outside; and attacked from inside by processes that are confined as they are.
#pragma once

#include <string>

#include "base/error.h"
#include "config/settings.h"
#include "verify/result.h"

namespace sandtrap::app {

// `settings` name throw-away folders, which exist. Starts a whole `sandtrap serve` on them, without
// sandboxes and on a port of loopback, and ends it.
verify::Observations examine_roles(const config::Settings& settings);

// Each attempt in a process of its own. Only for a process without threads.
verify::Observations attack_roles(const config::Settings& settings);

}  // namespace sandtrap::app
