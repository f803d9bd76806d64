#include "base/source.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace sandtrap::base {

std::string source_of(std::string_view ip, std::uint32_t ipv6_prefix) {
  char text[INET6_ADDRSTRLEN];
  if (ip.size() >= sizeof text || ip.find('\0') != std::string_view::npos) return {};
  std::memcpy(text, ip.data(), ip.size());
  text[ip.size()] = '\0';
  in_addr v4{};
  in6_addr v6{};
  if (::inet_pton(AF_INET, text, &v4) == 1) return text;
  if (::inet_pton(AF_INET6, text, &v6) != 1) return {};
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    std::memcpy(&v4, v6.s6_addr + 12, sizeof v4);
    return ::inet_ntop(AF_INET, &v4, text, sizeof text);
  }
  const std::uint32_t prefix = std::min(ipv6_prefix, 128U);
  for (std::uint32_t bit = prefix; bit < 128; ++bit) {
    v6.s6_addr[bit / 8] = static_cast<std::uint8_t>(v6.s6_addr[bit / 8] & ~(0x80U >> (bit % 8)));
  }
  return std::string(::inet_ntop(AF_INET6, &v6, text, sizeof text)) + "/" + std::to_string(prefix);
}

}  // namespace sandtrap::base
