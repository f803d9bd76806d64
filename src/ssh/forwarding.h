// What becomes of a port forwarding. A target that a client names is never contacted: rules, which
// are data, say how its connection would have ended, and timing makes the failure as slow as a real
// one. Requested listeners are kept as sshd keeps them; nobody ever connects to one. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/entropy.h"
#include "base/instant.h"

namespace sandtrap::ssh {

enum class ForwardOutcome : std::uint8_t {
  kRefused,      // nobody listens there
  kTimedOut,     // no answer to any SYN
  kNoRoute,      // no such neighbour
  kUnreachable,  // no route
  kUnknownName,  // the name server does not know it
  kLookupFails,  // no name server answers
};

// The first rule whose target matches decides. A target is `*`, a word (`localhost`, `ipv6`,
// `address`, `unresolvable`), or a pattern for HOST or HOST:PORT in which * stands for any text.
struct ForwardRule {
  std::string target;
  ForwardOutcome outcome = ForwardOutcome::kTimedOut;
};
// "TARGET OUTCOME" with refused, timed-out, no-route, unreachable, unknown-name, lookup-fails.
std::optional<ForwardRule> parse_forward_rule(std::string_view text);

struct ForwardTiming {  // of a Debian kernel and resolver with their default settings
  using Span = std::chrono::milliseconds;
  Span lookup_min{9}, lookup_max{60};                         // a name server somewhere near
  Span failed_lookup_min{10'000}, failed_lookup_max{10'030};  // resolv.conf(5): 5 s, twice
  Span timeout_min{129'500}, timeout_max{131'500};            // tcp_syn_retries = 6
  Span no_route_min{3'050}, no_route_max{3'110};              // three questions for a neighbour
};

struct ForwardVerdict {
  std::uint32_t reason = 2;  // of CHANNEL_OPEN_FAILURE
  std::string_view text;
  base::Duration lookup{};   // sshd's resolver: the connection stands still
  base::Duration connect{};  // everything else goes on
};
ForwardVerdict judge_forward(const std::vector<ForwardRule>& rules, const ForwardTiming& timing,
                             std::string_view host, std::uint32_t port, base::Entropy& entropy);

// "localhost", 127.0.0.0/8, ::1 and the unspecified addresses.
bool is_this_host(std::string_view host);

// The sockets that sshd would listen on for one connection (GatewayPorts no: loopback only).
class ForwardListeners {
 public:
  struct Listener {
    std::string host;  // as asked for: cancelled by the same text only
    std::string path;  // of a unix socket; then no port
    std::uint16_t port = 0;
    std::uint8_t families = 0;            // bit 0 IPv4, bit 1 IPv6
    std::vector<std::uint32_t> channels;  // sshd gives each socket a channel number
  };

  // How many sockets could be bound; 0: none, a failure. `port` 0 draws an ephemeral one.
  std::size_t add_tcp(std::string_view host, std::uint32_t& port, base::Entropy& entropy);
  std::size_t add_unix(std::string_view path);
  Listener& last() { return listeners_.back(); }
  // Takes the listener out, or nothing if there is none such.
  std::optional<Listener> remove_tcp(std::string_view host, std::uint32_t port);
  std::optional<Listener> remove_unix(std::string_view path);
  // Ports that are in use by others: sshd's own.
  void occupy(std::uint16_t port);
  std::size_t size() const { return listeners_.size(); }

 private:
  std::uint8_t used_families(std::uint16_t port) const;
  std::vector<Listener> listeners_;
  std::vector<std::uint16_t> occupied_;
};

}  // namespace sandtrap::ssh
