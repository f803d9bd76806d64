// The command line of the guest's `login` (guest/README.md) for one process: same for both engines.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "sandbox/engine.h"

namespace sandtrap::sandbox {

inline constexpr const char* kGuestLogin = "/usr/lib/openssh/sshd-session";
inline constexpr const char* kGuestInit = "/sbin/init";

// Attacker-chosen bytes come out as printable ASCII: whatever is not, and '%', is written %XX.
// kInvalid for what no process can be given: a NUL byte. Environment entries with a NUL, or a name
// that is empty or holds '=', are left out.
base::Result<std::vector<std::string>> guest_login_command(const ProcessSpec& spec);

std::string guest_encode(std::string_view bytes);

}  // namespace sandtrap::sandbox
