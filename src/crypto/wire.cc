#include "crypto/wire.h"

#include <algorithm>

namespace sandtrap::crypto {

void store_u32(std::uint8_t* out, std::uint32_t v) {
  out[0] = static_cast<std::uint8_t>(v >> 24);
  out[1] = static_cast<std::uint8_t>(v >> 16);
  out[2] = static_cast<std::uint8_t>(v >> 8);
  out[3] = static_cast<std::uint8_t>(v);
}

std::uint32_t load_u32(const std::uint8_t* in) {
  return static_cast<std::uint32_t>(in[0]) << 24 | static_cast<std::uint32_t>(in[1]) << 16 |
         static_cast<std::uint32_t>(in[2]) << 8 | static_cast<std::uint32_t>(in[3]);
}

void Reader::fail() {
  ok_ = false;
  rest_ = {};
}

ByteView Reader::raw(std::size_t n) {
  if (!ok_ || n > rest_.size()) {
    fail();
    return {};
  }
  const ByteView out = rest_.first(n);
  rest_ = rest_.subspan(n);
  return out;
}

std::uint8_t Reader::byte() {
  const ByteView b = raw(1);
  return b.empty() ? std::uint8_t{0} : b[0];
}

std::uint32_t Reader::u32() {
  const ByteView b = raw(4);
  return b.empty() ? 0 : load_u32(b.data());
}

std::uint64_t Reader::u64() {
  const ByteView b = raw(8);
  if (b.empty()) return 0;
  return static_cast<std::uint64_t>(load_u32(b.data())) << 32 | load_u32(b.data() + 4);
}

ByteView Reader::string(std::size_t max) {
  const std::uint32_t n = u32();
  if (n > max) {
    fail();
    return {};
  }
  return raw(n);
}

std::string_view Reader::text(std::size_t max) {
  std::string_view s = base::as_text(string(max));
  const std::size_t nul = s.find('\0');
  if (nul == std::string_view::npos) return s;
  if (nul + 1 != s.size()) {
    fail();
    return {};
  }
  return s.substr(0, nul);
}

ByteView Reader::mpint(std::size_t max) {
  ByteView b = string();
  if (!b.empty() && (b[0] & 0x80) != 0) {
    fail();
    return {};
  }
  while (!b.empty() && b[0] == 0) b = b.subspan(1);
  if (b.size() > max) {
    fail();
    return {};
  }
  return b;
}

Writer& Writer::byte(std::uint8_t v) {
  out_.push_back(v);
  return *this;
}

Writer& Writer::u32(std::uint32_t v) {
  std::uint8_t b[4];
  store_u32(b, v);
  return raw(b);
}

Writer& Writer::u64(std::uint64_t v) {
  return u32(static_cast<std::uint32_t>(v >> 32)).u32(static_cast<std::uint32_t>(v));
}

Writer& Writer::raw(ByteView bytes) {
  base::append(out_, bytes);
  return *this;
}

Writer& Writer::string(ByteView bytes) {
  return u32(static_cast<std::uint32_t>(bytes.size())).raw(bytes);
}

Writer& Writer::mpint(ByteView magnitude) {
  const auto first =
      std::find_if(magnitude.begin(), magnitude.end(), [](std::uint8_t b) { return b != 0; });
  magnitude = magnitude.subspan(static_cast<std::size_t>(first - magnitude.begin()));
  const bool sign_byte = !magnitude.empty() && (magnitude[0] & 0x80) != 0;
  u32(static_cast<std::uint32_t>(magnitude.size() + (sign_byte ? 1 : 0)));
  if (sign_byte) byte(0);
  return raw(magnitude);
}

Writer& Writer::name_list(const std::vector<std::string>& names) {
  return string(join_names(names));
}

std::vector<std::string_view> split_names(std::string_view list) {
  std::vector<std::string_view> out;
  if (list.empty()) return out;
  for (;;) {
    const std::size_t comma = list.find(',');
    out.push_back(list.substr(0, comma));
    if (comma == std::string_view::npos) return out;
    list.remove_prefix(comma + 1);
  }
}

std::string join_names(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& n : names) {
    if (!out.empty()) out.push_back(',');
    out += n;
  }
  return out;
}

}  // namespace sandtrap::crypto
