// The hash that a Debian server keeps of a password in /etc/shadow: yescrypt, as its `passwd` makes
// it ("$y$j9T$…").
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace sandtrap::crypto {

inline constexpr std::size_t kPasswordSalt = 16;  // random bytes

// Takes tens of milliseconds and a few megabytes, as meant. Empty: a password that no account can
// have (with a NUL in it, or longer than crypt(3) takes).
std::string hash_password(std::string_view password, base::ByteView salt);

}  // namespace sandtrap::crypto
