// Reading the configuration for a subcommand: problems go to standard error.
#pragma once

#include <optional>
#include <string>

#include "base/log.h"
#include "config/settings.h"

namespace sandtrap::app {

// `path` empty: kDefaultConfig if it exists, else the defaults. The sensor's name is filled in.
config::LoadResult load_configuration(const std::string& path);
// The same; nullopt after printing what is wrong.
std::optional<config::Settings> read_configuration(const std::string& path);
// What read_configuration() would read: "" for the defaults.
std::string configuration_file(const std::string& path);

base::LogLevel log_level(const config::Settings& settings);

}  // namespace sandtrap::app
