// SIGHUP: from the configuration file to the settings in use. Read, tried on a sandbox if they
// change what one may do (that is the supervisor's part), and only then in use, or forgotten.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "config/settings.h"

namespace sandtrap::app {

// Whether a sandbox of `next` may hold worse than one of `running`. Pure.
bool containment_changes(const config::Settings& running, const config::Settings& next);

class Reloading {
 public:
  // `running` is replaced by settle(true); `log` outlives this.
  Reloading(std::shared_ptr<config::Settings> running, std::string file, base::Log& log)
      : running_(std::move(running)), file_(std::move(file)), log_(log) {}

  bool read();                             // true: there are new settings
  std::optional<std::string> to_verify();  // their text, if a sandbox must be attacked with them
  void settle(bool good);

 private:
  const std::shared_ptr<config::Settings> running_;
  const std::string file_;
  base::Log& log_;
  std::optional<config::Settings> next_;
};

}  // namespace sandtrap::app
