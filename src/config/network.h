// Networks as an operator writes them: "192.0.2.0/24", "2001:db8::/32", or one address. Pure;
// values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"

namespace sandtrap::config {

// An IPv4 address is the IPv6 address ::ffff:a.b.c.d that stands for it.
using Address = std::array<std::uint8_t, 16>;

// nullopt: not an address as inet_ntop(3) would print it (no zone, no port, no brackets).
std::optional<Address> parse_address(std::string_view text);

struct Network {
  Address address{};  // bits behind `bits` are zero
  unsigned bits = 0;  // 96 and more for IPv4
  bool operator==(const Network&) const = default;
  bool contains(const Address& one) const;
};
// The error says what is wrong; the caller adds what is allowed.
base::Result<Network> parse_network(std::string_view text);

}  // namespace sandtrap::config
