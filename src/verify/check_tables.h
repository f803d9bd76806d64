// The parts of the table of checks.h, by what they attack.
#pragma once

#include <array>

#include "verify/checks.h"

namespace sandtrap::verify {

extern const std::array<Check, 62> kSandboxChecks;
extern const std::array<Check, 55> kKernelChecks;
extern const std::array<Check, 33> kRoleChecks;

}  // namespace sandtrap::verify
