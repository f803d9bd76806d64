// Colours of what the program prints for people: only on a terminal, and not where the environment
// says NO_COLOR (https://no-color.org) or TERM=dumb.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace sandtrap::cli {

enum class Colour { kBold = 1, kRed = 31, kGreen = 32, kYellow = 33, kCyan = 36 };

bool wants_colours(std::FILE* stream);
std::string coloured(std::string_view text, Colour colour, bool wanted);

}  // namespace sandtrap::cli
