// Which user names can exist on the machine we pretend to be. Pure.
#pragma once

#include <string_view>

namespace sandtrap::warden {

// [a-z_][a-z0-9_.-]{0,31} with an optional `$` at the end: what useradd(8) of Debian accepts, so
// everything else cannot be an account of a real one. A login with such a name is treated like one
// with a wrong password, never accepted, and so never reaches the engine.
bool is_possible_user(std::string_view name);

}  // namespace sandtrap::warden
