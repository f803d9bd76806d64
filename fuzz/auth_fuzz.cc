// Authentication against hostile packets. A client is joined to a Server, the handshake is done
// once for real, and then each packet of the fuzzer's making goes through the encrypted transport.
//
// Input: first byte picks the profile (keyboard-interactive, delays) and what the host decides;
// then packets, each a two-byte length and the payload.
#include <cstdint>
#include <cstdlib>

#include "packet_script.h"
#include "support/personas.h"

namespace {

using namespace sandtrap;

struct Host {
  fuzz::Joined& joined;
  bool accepts;

  void operator()(ssh::AuthAttempt& attempt) {
    if (attempt.needs_decision) joined.server.submit_auth(attempt.id, accepts, joined.now);
  }
  template <class Other>
  void operator()(Other&) {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Script script({data, size});
  const std::uint8_t mode = script.byte();
  ssh::Profile profile = ssh::debian_12();
  profile.keyboard_interactive = (mode & 1) != 0;
  profile.quantise_delays = (mode & 2) != 0;
  fuzz::Joined joined(profile);
  Host host{joined, (mode & 4) != 0};
  joined.run(host);
  if ((mode & 8) == 0) {
    joined.client.send(fuzz::service_request());
    joined.run(host);
  }
  while (!script.empty() && !joined.closed) {
    joined.client.send(script.packet());
    joined.run(host);
    // Held replies end at their deadline; grace time ends the rest.
    if (const auto until = joined.server.deadline(); until && (mode & 16) != 0) {
      joined.tick(*until, host);
    }
  }
  return 0;
}
