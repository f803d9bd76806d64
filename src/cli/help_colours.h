// Colours for the text of --help: headings, and the names of commands and options. Pure.
#pragma once

#include <string>
#include <string_view>

namespace sandtrap::cli {

std::string coloured_help(std::string_view text);

}  // namespace sandtrap::cli
