// Patterns of a settings file. Pure.
#pragma once

#include <string_view>

namespace sandtrap::base {

// `*` stands for any number of any bytes; everything else for itself. Only the last star is ever
// moved: an attacker's text costs no more than its length times the pattern's.
bool glob_match(std::string_view pattern, std::string_view text);

}  // namespace sandtrap::base
