// Before the ports open: does a sandbox of this configuration hold? Asked once for each boot,
// program and configuration; a warden that comes back after a crash serves at once.
#pragma once

#include <boost/asio/io_context.hpp>

#include "base/log.h"
#include "config/settings.h"
#include "sandbox/engine.h"

namespace sandtrap::warden {

// Runs `loop` until it is known. An error: the ports must stay closed.
base::Status verify_at_start(const config::Settings& settings, sandbox::Engine& engine,
                             boost::asio::io_context& loop, base::Log& log);

}  // namespace sandtrap::warden
