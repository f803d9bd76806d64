// Who counts as one attacker by address: an IPv4 address, or an IPv6 /64 (one customer's network;
// its lower half is free for the attacker to change). IPv4-mapped addresses are IPv4. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sandtrap::warden {

struct SourceKey {
  // IPv4: ::ffff:a.b.c.d; IPv6: the upper 64 bits, then zeros.
  std::array<std::uint8_t, 16> bytes{};
  bool operator==(const SourceKey&) const = default;
};

// nullopt: not an address as inet_ntop(3) would print it (no zone, no port, no brackets).
std::optional<SourceKey> parse_source(std::string_view ip);

struct SourceKeyHash {
  std::size_t operator()(const SourceKey& key) const noexcept;
};

}  // namespace sandtrap::warden
