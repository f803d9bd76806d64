#include "app/configuration.h"

#include <fmt/format.h>
#include <limits.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "app/serve.h"

namespace sandtrap::app {

std::string configuration_file(const std::string& path) {
  if (!path.empty()) return path;
  return ::access(kDefaultConfig, F_OK) == 0 ? kDefaultConfig : "";
}

config::LoadResult load_configuration(const std::string& path) {
  const std::string file = configuration_file(path);
  config::LoadResult loaded = file.empty() ? config::load("", "") : config::load_file(file);
  if (loaded.problems.empty() && loaded.settings.logging.sensor.empty()) {
    std::array<char, HOST_NAME_MAX + 1> name{};
    ::gethostname(name.data(), name.size() - 1);
    loaded.settings.logging.sensor = name.data();
    if (loaded.settings.logging.sensor.empty()) loaded.settings.logging.sensor = "sandtrap";
  }
  return loaded;
}

std::optional<config::Settings> read_configuration(const std::string& path) {
  config::LoadResult loaded = load_configuration(path);
  for (const config::Problem& problem : loaded.problems) {
    fmt::print(stderr, "{}\n", config::to_string(problem));
  }
  if (!loaded.problems.empty()) return std::nullopt;
  return std::move(loaded.settings);
}

base::LogLevel log_level(const config::Settings& settings) {
  const std::string& level = settings.logging.level;
  if (level == "debug") return base::LogLevel::kDebug;
  if (level == "warn") return base::LogLevel::kWarn;
  return level == "error" ? base::LogLevel::kError : base::LogLevel::kInfo;
}

}  // namespace sandtrap::app
