#include "verify/checks.h"

#include <algorithm>
#include <vector>

#include "verify/check_tables.h"

namespace sandtrap::verify {

std::span<const Check> checks() {
  static const std::vector<Check> all = [] {
    std::vector<Check> out(kSandboxChecks.begin(), kSandboxChecks.end());
    out.insert(out.end(), kKernelChecks.begin(), kKernelChecks.end());
    out.insert(out.end(), kRoleChecks.begin(), kRoleChecks.end());
    return out;
  }();
  return all;
}

const Check* find_check(std::string_view name) {
  const auto all = checks();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [name](const Check& check) { return check.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace sandtrap::verify
