// Whether the guest's image is the system that the persona shows outside.
#pragma once

#include <string>

#include "config/settings.h"

namespace sandtrap::app {

// "" if it is, or if that cannot be told; else a sentence for the operator.
std::string persona_misfit(const config::Settings& settings);

}  // namespace sandtrap::app
