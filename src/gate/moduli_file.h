// The groups for diffie-hellman-group-exchange, read before the gate confines itself.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "ssh/profile.h"

namespace sandtrap::gate {

// The usable lines of a moduli(5) file; an error if it cannot be read.
base::Result<std::vector<ssh::Modulus>> read_moduli(const std::string& path);

}  // namespace sandtrap::gate
