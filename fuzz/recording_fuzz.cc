// Any bytes as a recording and its sidecar: what decodes has no more data than the files.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "record/decoder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sandtrap;
  if (size < 2) return 0;
  const std::size_t binary = std::min<std::size_t>(data[0], size - 1);
  const base::ByteView sidecar(data + 1, binary);
  const base::ByteView cast(data + 1 + binary, size - 1 - binary);
  const auto recording = record::decode(base::as_text(cast), sidecar);
  if (!recording) return 0;
  std::size_t total = 0;
  for (const auto& event : recording->events) total += event.data.size();
  SANDTRAP_CHECK(total <= size * 4);
  return 0;
}
