// Any bytes as a session's output on their way to the operator's terminal, in any pieces: the same
// as in one, never more than three bytes for one, and fit as it is, so that a second pass changes
// nothing.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "term/safe_output.h"

namespace {

using sandtrap::term::SafeOutput;

std::string shown(std::string_view bytes, std::size_t step) {
  SafeOutput filter;
  std::string out;
  while (!bytes.empty()) {
    filter.feed(bytes.substr(0, step), out);
    bytes.remove_prefix(std::min(step, bytes.size()));
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view all(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = shown(all, size);
  if (whole.size() > 3 * size || whole != shown(all, 1U + data[0] % 16)) __builtin_trap();
  SafeOutput again;
  std::string same;
  again.feed(whole, same);
  if (same != whole || again.left_out() != 0) __builtin_trap();
  return 0;
}
