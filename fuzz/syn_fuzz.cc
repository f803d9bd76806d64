// Any bytes as a client's SYN headers.
#include <cstddef>
#include <cstdint>

#include "gate/tcp_syn.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto syn = sandtrap::gate::parse_syn({data, size});
  if (syn && (syn->options.size() > 40 || sandtrap::gate::ja4t(*syn).size() > 200))
    __builtin_trap();
  return 0;
}
