// Groups for diffie-hellman-group-exchange (RFC 4419), chosen as sshd chooses from its moduli file.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/entropy.h"
#include "base/error.h"
#include "crypto/key_agreement.h"
#include "ssh/profile.h"

namespace sandtrap::ssh {

// The usable lines of a moduli(5) file; others are skipped, as sshd skips them.
std::vector<Modulus> parse_moduli(std::string_view text);

struct GroupRequest {  // as the client sent it
  std::uint32_t min = 0, preferred = 0, max = 0;
};

// An error if the request is out of range; without moduli one of the RFC 3526 groups.
base::Result<crypto::DhGroup> choose_group(const std::vector<Modulus>& moduli, GroupRequest request,
                                           base::Entropy& entropy);

}  // namespace sandtrap::ssh
