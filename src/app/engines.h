// The container engine that the settings name. The only place that knows the concrete classes.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "base/log.h"
#include "config/settings.h"
#include "sandbox/engine.h"

namespace sandtrap::app {

std::unique_ptr<sandbox::Engine> make_engine(const config::Settings& settings,
                                             boost::asio::io_context& io, base::Log& log);

}  // namespace sandtrap::app
