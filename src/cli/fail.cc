#include <fmt/format.h>

#include "cli/commands.h"

namespace sandtrap::cli {

int fail(const std::string& what, int code) {
  fmt::print(stderr, "sandtrap: {}\n", what);
  return code;
}

}  // namespace sandtrap::cli
