// The role that faces the internet: speaks SSH and shovels bytes; nothing else
// (docs/architecture.md).
#pragma once

#include "base/fd.h"
#include "base/log.h"
#include "config/settings.h"

namespace sandtrap::gate {

// Runs until drained; returns the process's exit code. `control` is the supervisor's socket
// (net::Channel): it brings PeerConnected{"warden"|"scribe"} with a fresh channel to that role,
// now and whenever the role was restarted, and Drain. `settings` came from redact_for_gate().
// Called as root; drops to settings.server.gate_user, confines itself, then accepts.
int run(const config::Settings& settings, base::Fd control, base::Log& log);

}  // namespace sandtrap::gate
