#include "config/network.h"

#include <arpa/inet.h>

#include <cstring>

#include "config/value.h"

namespace sandtrap::config {
namespace {

constexpr unsigned kMappedBits = 96;

bool is_mapped(const Address& address) {
  static constexpr Address kPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
  return std::memcmp(address.data(), kPrefix.data(), kMappedBits / 8) == 0;
}

Address masked(const Address& address, unsigned bits) {
  Address out = address;
  for (unsigned bit = bits; bit < 8 * out.size(); ++bit) {
    out[bit / 8] = static_cast<std::uint8_t>(out[bit / 8] & ~(0x80U >> bit % 8));
  }
  return out;
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
  char raw[INET6_ADDRSTRLEN];
  if (text.empty() || text.size() >= sizeof raw || text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  std::memcpy(raw, text.data(), text.size());
  raw[text.size()] = '\0';
  Address out{};
  if (::inet_pton(AF_INET, raw, out.data() + kMappedBits / 8) == 1) {
    out[10] = out[11] = 0xff;
    return out;
  }
  if (::inet_pton(AF_INET6, raw, out.data()) == 1) return out;
  return std::nullopt;
}

bool Network::contains(const Address& one) const {
  return masked(one, bits) == address;
}

base::Result<Network> parse_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return base::fail(base::Errc::kInvalid, "is not an address or network");
  const bool v4 = is_mapped(*address) && text.find(':') == std::string_view::npos;
  const unsigned least = v4 ? kMappedBits : 0, most = 128;
  unsigned bits = most;
  if (slash != std::string_view::npos) {
    const auto length = parse_whole(text.substr(slash + 1));
    if (!length || *length > most - least) {
      return base::fail(base::Errc::kInvalid, "has a prefix length that is out of range");
    }
    bits = least + static_cast<unsigned>(*length);
  }
  const Network out{masked(*address, bits), bits};
  if (out.address != *address) {
    return base::fail(base::Errc::kInvalid, "has bits set behind its prefix");
  }
  return out;
}

}  // namespace sandtrap::config
