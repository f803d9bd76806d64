// Compiled-in personas for tests, fuzzers and benches.
#pragma once

#include <string_view>

#include "ssh/profile.h"

namespace sandtrap::ssh {

// "" is the default revision. Aborts where there is no such persona.
Profile persona(std::string_view name, std::string_view revision = {}, bool legacy = false);
Profile debian_12();

}  // namespace sandtrap::ssh
