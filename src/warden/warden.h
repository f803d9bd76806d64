// The privileged role: host keys, login policy, sandbox pool.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>

#include "base/fd.h"
#include "base/log.h"
#include "config/settings.h"
#include "sandbox/engine.h"

namespace sandtrap::warden {

// Makes the concrete engine on the warden's loop: of the roles none names its class, src/app does.
using EngineFactory = std::function<std::unique_ptr<sandbox::Engine>(
    const config::Settings&, boost::asio::io_context&, base::Log&)>;

// Runs until drained; returns the process's exit code. `control` as in gate/gate.h; sends RoleReady
// once the pool has its first warm sandbox.
int run(const config::Settings& settings, base::Fd control, const EngineFactory& make_engine,
        base::Log& log);

}  // namespace sandtrap::warden
