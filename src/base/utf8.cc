#include "base/utf8.h"

#include <algorithm>

namespace sandtrap::base {
namespace {

// RFC 3629 §4's table: length of the sequence and the range of its second byte, by first byte.
struct Lead {
  std::size_t length = 0;  // 0: no sequence begins with this byte
  std::uint8_t low = 0x80, high = 0xbf;
};

Lead lead_of(std::uint8_t byte) {
  if (byte < 0x80) return {1};
  if (byte < 0xc2) return {0};
  if (byte < 0xe0) return {2};
  if (byte == 0xe0) return {3, 0xa0, 0xbf};
  if (byte == 0xed) return {3, 0x80, 0x9f};
  if (byte < 0xf0) return {3};
  if (byte == 0xf0) return {4, 0x90, 0xbf};
  if (byte < 0xf4) return {4};
  if (byte == 0xf4) return {4, 0x80, 0x8f};
  return {0};
}

// How many of the bytes at hand fit the sequence that lead promises.
std::size_t matching(ByteView bytes, const Lead& lead) {
  const std::size_t limit = std::min(bytes.size(), lead.length);
  std::size_t n = 1;
  for (; n < limit; ++n) {
    const std::uint8_t low = n == 1 ? lead.low : 0x80;
    const std::uint8_t high = n == 1 ? lead.high : 0xbf;
    if (bytes[n] < low || bytes[n] > high) break;
  }
  return n;
}

}  // namespace

std::size_t utf8_valid_prefix(ByteView bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    std::uint64_t word = 0;
    while (bytes.size() - at >= sizeof word) {
      std::memcpy(&word, bytes.data() + at, sizeof word);
      if ((word & 0x8080808080808080ULL) != 0) break;
      at += sizeof word;
    }
    while (at < bytes.size() && bytes[at] < 0x80) ++at;
    if (at == bytes.size()) break;
    const Lead lead = lead_of(bytes[at]);
    if (lead.length == 0 || matching(bytes.subspan(at), lead) != lead.length) break;
    at += lead.length;
  }
  return at;
}

bool utf8_incomplete(ByteView rest) {
  if (rest.empty()) return false;
  const Lead lead = lead_of(rest[0]);
  return rest.size() < lead.length && matching(rest, lead) == rest.size();
}

}  // namespace sandtrap::base
