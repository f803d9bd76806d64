// Any stream as Docker's framing, in any pieces: the same payload as in one, and never more than
// came.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "gate/stdcopy.h"

namespace {

using sandtrap::base::ByteView;
using sandtrap::gate::StdcopyDecoder;

std::string decode(ByteView all, std::size_t step) {
  StdcopyDecoder decoder;
  std::string out;
  while (!all.empty() && !decoder.broken()) {
    ByteView wire = all.first(std::min(step, all.size()));
    all = all.subspan(wire.size());
    while (const auto piece = decoder.next(wire)) {
      for (const std::uint8_t byte : piece->data) {
        out += piece->stream == StdcopyDecoder::Stream::kOutput ? 'o' : 'e';
        out += static_cast<char>(byte);
      }
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView all(data + 1, size - 1);
  const std::string whole = decode(all, size);
  if (whole.size() > 2 * size || whole != decode(all, 1U + data[0] % 16)) __builtin_trap();
  return 0;
}
