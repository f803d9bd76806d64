// Transport against hostile bytes. The first byte picks the mode: in plain text from the first byte
// on, or joined with a client through a whole handshake and then fed packets of the fuzzer's
// making, properly sealed, cut into odd pieces, with raw bytes in between.
#include <cstdint>
#include <cstdlib>

#include "ssh/transport.h"
#include "support/joined.h"
#include "support/ssh_client.h"

namespace {

using namespace sandtrap;
using base::ByteView;

constexpr base::Instant kNow{};

// Takes bytes off the front of the fuzz input.
class Script {
 public:
  explicit Script(ByteView bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    const ByteView b = bytes(1);
    return b.empty() ? std::uint8_t{0} : b[0];
  }
  ByteView bytes(std::size_t n) {
    const ByteView out = rest_.first(std::min(n, rest_.size()));
    rest_ = rest_.subspan(out.size());
    return out;
  }
  ByteView rest() const { return rest_; }

 private:
  ByteView rest_;
};

const ssh::Profile& profile() {
  static const ssh::Profile p = [] {
    ssh::Profile made = ssh::debian_12();
    made.rekey_packets = 20;  // so that the server's own rekeying is reached
    return made;
  }();
  return p;
}

void check_invariants(ssh::Transport& server) {
  if (server.closed() && server.wants_input()) std::abort();
  if (server.memory_used() > (8u << 20)) std::abort();
}

void drain(ssh::Transport& server) {
  bool ended = false;
  while (auto event = server.next_event()) {
    if (ended) std::abort();  // Closed is the last event
    if (auto* sign = std::get_if<ssh::SignNeeded>(&*event)) {
      server.submit_signature(sign->id, test::HostKeys::shared().sign(*sign), kNow);
    } else if (auto* packet = std::get_if<ssh::Packet>(&*event)) {
      if (packet->payload.empty()) std::abort();
      server.send(packet->payload);
    } else {
      ended = std::holds_alternative<ssh::Closed>(*event);
    }
  }
  check_invariants(server);
}

void plain_text(Script script) {
  test::SeededEntropy entropy;
  ssh::Transport server(profile(), test::HostKeys::shared().public_keys(), entropy, kNow);
  const std::size_t piece = script.byte() + std::size_t{1};
  while (!script.empty() && server.wants_input()) {
    ByteView wire = script.bytes(piece);
    while (!wire.empty() && server.wants_input()) {
      wire = wire.subspan(test::feed(server, wire, kNow));
      drain(server);
    }
    server.consumed(server.pending_output().size());
  }
  server.peer_eof(kNow);
  drain(server);
  if (!server.closed()) std::abort();
}

test::ClientOptions options_from(Script& script) {
  const auto pick = [&](const ssh::NameList& names) { return names[script.byte() % names.size()]; };
  test::ClientOptions o;
  o.cipher = pick(profile().ciphers);
  o.mac = pick(profile().macs);
  const std::uint8_t flags = script.byte();
  o.strict = (flags & 1) != 0;
  o.ext_info = (flags & 2) != 0;
  if ((flags & 4) != 0) o.compression = "zlib@openssh.com";
  return o;
}

void joined(Script script) {
  test::SeededEntropy server_entropy(1), client_entropy(2);
  ssh::Transport server(profile(), test::HostKeys::shared().public_keys(), server_entropy, kNow);
  test::SshClient client(options_from(script), client_entropy);
  const std::size_t piece = script.byte() + std::size_t{1};
  const auto run = [&] {
    test::run(
        client, server, kNow,
        [&](auto& e) {
          if constexpr (std::is_same_v<std::decay_t<decltype(e)>, ssh::Packet>) {
            const base::Bytes copy(e.payload.begin(), e.payload.end());
            server.send(copy);
          }
        },
        [&] { return piece; });
    check_invariants(server);
  };
  run();
  if (!client.ready()) std::abort();  // nothing hostile happened yet
  server.set_authenticated();
  while (!script.empty() && !server.closed() && client.error().empty()) {
    const std::uint8_t action = script.byte();
    const ByteView bytes = script.bytes(script.byte());
    if (action == 255) {
      client.send_kex_init();
    } else if (action == 254) {
      client.send_raw(bytes);
    } else if (action == 253) {
      server.send(bytes);
    } else if (!bytes.empty()) {
      client.send_now(bytes);
    }
    run();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Script script({data, size});
  if (script.byte() % 2 == 0) {
    plain_text(script);
  } else {
    joined(script);
  }
  return 0;
}
