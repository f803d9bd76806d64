// Who counts as one by address: an IPv4 address, or what one customer owns of IPv6 and is free to
// choose from. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sandtrap::base {

// "192.0.2.7", or "2001:db8::/64" for the first `ipv6_prefix` bits (128 at most). IPv4-mapped
// addresses are IPv4. Empty: not an address as inet_ntop(3) prints one (no zone, port, brackets).
std::string source_of(std::string_view ip, std::uint32_t ipv6_prefix);

}  // namespace sandtrap::base
