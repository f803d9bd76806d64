#include "warden/source_key.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace sandtrap::warden {

std::optional<SourceKey> parse_source(std::string_view ip) {
  char text[INET6_ADDRSTRLEN];
  if (ip.empty() || ip.size() >= sizeof text || ip.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  std::memcpy(text, ip.data(), ip.size());
  text[ip.size()] = '\0';

  SourceKey key;
  in_addr v4{};
  if (::inet_pton(AF_INET, text, &v4) == 1) {
    key.bytes[10] = key.bytes[11] = 0xff;
    std::memcpy(key.bytes.data() + 12, &v4, sizeof v4);
    return key;
  }
  in6_addr v6{};
  if (::inet_pton(AF_INET6, text, &v6) != 1) return std::nullopt;
  const bool mapped = IN6_IS_ADDR_V4MAPPED(&v6);
  std::memcpy(key.bytes.data(), &v6, mapped ? 16 : 8);
  return key;
}

std::size_t SourceKeyHash::operator()(const SourceKey& key) const noexcept {
  std::uint64_t a = 0, b = 0;
  std::memcpy(&a, key.bytes.data(), 8);
  std::memcpy(&b, key.bytes.data() + 8, 8);
  std::uint64_t x = a * 0x9e3779b97f4a7c15ULL ^ b;  // splitmix64's finalizer
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return static_cast<std::size_t>(x ^ (x >> 31));
}

}  // namespace sandtrap::warden
