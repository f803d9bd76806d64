// What new settings mean for a running warden. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "config/settings.h"

namespace sandtrap::warden {

struct ReloadPlan {
  config::Settings settings;                        // what runs from now on
  std::vector<std::string> applied, needs_restart;  // keys or sections
};

// Takes from `next` what can change under way and keeps `now` for the rest. Settings that are none
// of the warden's business are passed over: each role answers for its own.
ReloadPlan plan_reload(const config::Settings& now, const config::Settings& next);

// The text of a memfd, at most 4 MiB.
base::Result<std::string> read_settings_text(const base::Fd& fd);

std::string join(const std::vector<std::string>& names);  // "a, b"

}  // namespace sandtrap::warden
