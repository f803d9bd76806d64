// The algorithms that the engine implements, by name: what a profile may list.
#pragma once

#include <cstdint>

#include "ssh/profile.h"

namespace sandtrap::ssh {

enum class AlgorithmKind : std::uint8_t {
  kKex,  // pseudo-algorithms included
  kCipher,
  kMac,
  kCompression,
  kHostKey,  // signature algorithms of host keys
  kUserKey,  // signature algorithms of user keys
};

NameList implemented(AlgorithmKind kind);

}  // namespace sandtrap::ssh
