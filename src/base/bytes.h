// Byte sequences. We use std::uint8_t, not std::byte: every C library at our borders (OpenSSL,
// nettle, zlib, the kernel) speaks unsigned char, and a cast at each call hides more than it shows.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sandtrap::base {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;
using MutableByteView = std::span<std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(std::string_view text) {
  const ByteView view = as_bytes(text);
  return Bytes(view.begin(), view.end());
}
inline std::string to_string(ByteView bytes) {
  return std::string(as_text(bytes));
}
inline void append(Bytes& out, ByteView more) {
  out.insert(out.end(), more.begin(), more.end());
}

std::string to_hex(ByteView bytes);                  // lower case, no separators
std::string to_base64(ByteView bytes, bool padded);  // RFC 4648 §4

}  // namespace sandtrap::base
