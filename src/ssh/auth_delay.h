// How long sshd holds the answer to a failed authentication request. Pure functions.
//
// OpenSSH pads the work of every failed request up to b * 2^k, where b is a constant of the pair
// (server, user): reply times are quantised, and stay so over restarts. PAM adds about two seconds
// to a wrong password before that.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "base/entropy.h"
#include "base/instant.h"

namespace sandtrap::ssh {

// b: 5 ms and a user-specific part below 4.3 ms.
base::Duration base_failure_delay(std::uint64_t secret, std::string_view user);

// The smallest base * 2^k that is at least `work`.
base::Duration padded_failure_delay(base::Duration base, base::Duration work);

// libpam's fail delay: the mean of three uniform numbers, so that the middle of the range is
// likelier than its ends. `max` below `min` counts as `min`.
base::Duration random_delay(base::Duration min, base::Duration max, base::Entropy& entropy);

// The same as libpam before 1.6 draws it: its generator starts from the second (Unix time) in which
// the authentication began, so every password refused in one second takes equally long, and a
// client that knows the time can tell how long.
base::Duration clocked_delay(base::Duration min, base::Duration max, std::int64_t unix_seconds);

}  // namespace sandtrap::ssh
