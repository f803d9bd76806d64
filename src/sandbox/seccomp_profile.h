// The system calls a sandbox may make: an allow list, one table for every engine. Everything that
// is not named here fails with EPERM; the few that programs probe for fail as on a kernel built
// without them. The JSON form is both the runtime specification's `linux.seccomp` object and what
// Docker takes as `--security-opt seccomp=`. Pure data; docs/sandbox.md gives the reasons.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sandtrap::sandbox {

enum class SeccompOperator { kEqual, kMaskedEqual };

struct SeccompArgument {
  std::uint32_t index = 0;
  SeccompOperator op = SeccompOperator::kEqual;
  std::uint64_t value = 0;      // kMaskedEqual: the mask
  std::uint64_t value_two = 0;  // kMaskedEqual: what is left under the mask
};

struct SeccompRule {
  std::vector<std::string_view> names;
  int error = 0;                      // 0: allowed; else the call fails with this errno
  std::vector<SeccompArgument> args;  // all must hold; each index at most once
};

struct SeccompProfile {
  int default_error = 0;                        // every call that no rule names fails with this
  std::vector<std::string_view> architectures;  // SCMP_ARCH_*: native first, then its 32-bit form
  std::vector<SeccompRule> rules;
};

SeccompProfile seccomp_profile();
boost::json::object seccomp_object(const SeccompProfile& profile);
std::string seccomp_json(const SeccompProfile& profile);

}  // namespace sandtrap::sandbox
