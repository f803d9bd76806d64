// forwarding.h: what sshd would listen on.
#include <algorithm>

#include "ssh/forwarding.h"

namespace sandtrap::ssh {
namespace {

constexpr std::uint8_t kIpv4 = 1, kIpv6 = 2;
constexpr std::size_t kMaxListeners = 200;  // of one connection; sshd ends at its descriptors
constexpr std::size_t kSunPath = 108;       // sockaddr_un

// Without GatewayPorts only these two names choose; every other one means both addresses.
std::uint8_t families_of(std::string_view host) {
  if (host == "127.0.0.1") return kIpv4;
  return host == "::1" ? kIpv6 : kIpv4 | kIpv6;
}

// Linux gives bind(2) with SO_REUSEADDR an odd port of the lower half of 32768-60999.
std::uint16_t ephemeral_port(base::Entropy& entropy) {
  std::uint8_t bytes[4];
  entropy.fill(bytes);
  const std::uint32_t draw = static_cast<std::uint32_t>(bytes[0]) << 16 |
                             static_cast<std::uint32_t>(bytes[1]) << 8 | bytes[2];
  return static_cast<std::uint16_t>(32769 + draw % 7058 * 2);
}

std::size_t count(std::uint8_t families) {
  return static_cast<std::size_t>(families & 1) + static_cast<std::size_t>(families >> 1);
}

}  // namespace

void ForwardListeners::occupy(std::uint16_t port) {
  occupied_.push_back(port);
}

std::uint8_t ForwardListeners::used_families(std::uint16_t port) const {
  if (std::find(occupied_.begin(), occupied_.end(), port) != occupied_.end()) {
    return kIpv4 | kIpv6;
  }
  std::uint8_t used = 0;
  for (const Listener& listener : listeners_) {
    if (listener.families != 0 && listener.port == port) used |= listener.families;
  }
  return used;
}

std::size_t ForwardListeners::add_tcp(std::string_view host, std::uint32_t& port,
                                      base::Entropy& entropy) {
  if (listeners_.size() >= kMaxListeners) return 0;
  Listener listener;
  listener.host = host;
  // getaddrinfo(3) cuts a port that is too large.
  listener.port = port == 0 ? ephemeral_port(entropy) : static_cast<std::uint16_t>(port);
  listener.families = static_cast<std::uint8_t>(families_of(host) & ~used_families(listener.port));
  if (listener.families == 0) return 0;
  if (port == 0) port = listener.port;
  listeners_.push_back(std::move(listener));
  return count(listeners_.back().families);
}

std::size_t ForwardListeners::add_unix(std::string_view path) {
  const auto same = [path](const Listener& l) { return l.families == 0 && l.path == path; };
  if (listeners_.size() >= kMaxListeners || path.size() >= kSunPath ||
      std::any_of(listeners_.begin(), listeners_.end(), same)) {
    return 0;
  }
  Listener listener;
  listener.path = path;
  listeners_.push_back(std::move(listener));
  return 1;
}

std::optional<ForwardListeners::Listener> ForwardListeners::remove_tcp(std::string_view host,
                                                                       std::uint32_t port) {
  const auto found = std::find_if(listeners_.begin(), listeners_.end(), [&](const Listener& l) {
    return l.families != 0 && l.host == host && l.port == port;
  });
  if (found == listeners_.end()) return std::nullopt;
  Listener listener = std::move(*found);
  listeners_.erase(found);
  return listener;
}

std::optional<ForwardListeners::Listener> ForwardListeners::remove_unix(std::string_view path) {
  const auto found = std::find_if(listeners_.begin(), listeners_.end(), [&](const Listener& l) {
    return l.families == 0 && l.path == path;
  });
  if (found == listeners_.end()) return std::nullopt;
  Listener listener = std::move(*found);
  listeners_.erase(found);
  return listener;
}

}  // namespace sandtrap::ssh
