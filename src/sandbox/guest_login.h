// The command line of the guest's `login` (guest/README.md): how both engines start the process of
// one channel inside a sandbox. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "sandbox/engine.h"

namespace sandtrap::sandbox {

inline constexpr std::string_view kGuestLogin = "/usr/lib/openssh/sshd-session";
inline constexpr std::string_view kGuestInit = "/sbin/init";

inline constexpr std::size_t kMaxCommand = 256 * 1024;  // an SSH packet carries no longer one
inline constexpr std::size_t kMaxEnvironmentBytes = 64 * 1024;

// Program and arguments. Values are percent-encoded to printable ASCII: the engines' JSON would
// replace bytes that are not UTF-8. kNotFound: a subsystem that sshd does not know either;
// kInvalid: a value that no process could be given (NUL, a user name against the rule); kLimit.
base::Result<std::vector<std::string>> guest_login_arguments(const ProcessSpec& spec);

}  // namespace sandtrap::sandbox
