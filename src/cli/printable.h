// What an attacker chose, on the operator's terminal.
#pragma once

#include <string>
#include <string_view>

namespace sandtrap::cli {

// Printable ASCII as it is, backslash doubled, every other byte as \xNN: no escape sequence, no
// look-alike and no reversed text gets through.
std::string printable(std::string_view bytes);

// 12 hex digits: the only ids that are ever made part of a path.
bool is_id(std::string_view text);

}  // namespace sandtrap::cli
