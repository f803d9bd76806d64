// Whether the guest's image is the system that the persona shows outside, and of this version.
#pragma once

#include <string>

#include "config/settings.h"

namespace sandtrap::app {

// "" if it is, or if that cannot be told; else a sentence for the operator.
std::string persona_misfit(const config::Settings& settings);
// The same of the guest's own programs in the image, which must be those of this version: after an
// upgrade they are older. Of the embedded engine's image only; a Docker image cannot be looked into
// so cheaply.
std::string program_misfit(const config::Settings& settings);

}  // namespace sandtrap::app
