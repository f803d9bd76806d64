// The role that owns the data folder: opens the log and recording files for the others, repairs
// what a crash tore, finishes recordings.
#pragma once

#include "base/fd.h"
#include "base/log.h"
#include "config/settings.h"

namespace sandtrap::scribe {

// Runs until drained; returns the process's exit code. `control` as in gate/gate.h. Called as root;
// drops to settings.server.scribe_user.
int run(const config::Settings& settings, base::Fd control, base::Log& log);

}  // namespace sandtrap::scribe
