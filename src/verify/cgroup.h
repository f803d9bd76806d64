// The limit that a control group sets, read from the host: on a busy machine no attack gets far
// enough to feel it.
#pragma once

#include <optional>
#include <string>

namespace sandtrap::verify {

// In cores, of the group that the process with this first word in its command line runs in. 0: no
// limit. nullopt: no such process, or its group cannot be read.
std::optional<double> processor_limit_of(const std::string& program);

}  // namespace sandtrap::verify
