// Two ends joined in memory: moves bytes between an SshClient and a Transport or Server until both
// are quiet. Signs with real host keys, as the warden would.
#pragma once

#include <algorithm>
#include <functional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "crypto/host_key.h"
#include "ssh/server.h"
#include "ssh/transport.h"
#include "support/personas.h"
#include "support/ssh_client.h"

namespace sandtrap::test {

// One key of each of sshd's kinds, generated once per process (RSA takes its time).
class HostKeys {
 public:
  static const HostKeys& shared() {
    static const HostKeys keys;
    return keys;
  }
  const std::vector<ssh::HostKey>& public_keys() const { return public_; }
  Bytes sign(const ssh::SignNeeded& request) const {
    auto signature = private_[request.host_key].sign(request.algorithm, request.data);
    return signature ? std::move(*signature) : Bytes{};
  }
  const crypto::PrivateHostKey& key(std::size_t index) const { return private_[index]; }

 private:
  HostKeys() {
    using crypto::HostKeyKind;
    for (const auto kind :
         {HostKeyKind::kRsa3072, HostKeyKind::kEcdsaP256, HostKeyKind::kEd25519}) {
      auto key = crypto::PrivateHostKey::generate(kind);
      SANDTRAP_CHECK(key.has_value());
      public_.push_back({key->type(), key->public_blob()});
      private_.push_back(std::move(*key));
    }
  }
  std::vector<crypto::PrivateHostKey> private_;
  std::vector<ssh::HostKey> public_;
};

// Feeds `wire` as a socket would be read: in the identification phase only what the engine takes.
// Returns how much it took; less than all means that the rest stayed in the kernel.
template <class Engine>
std::size_t feed(Engine& engine, ByteView wire, base::Instant now) {
  std::size_t n = wire.size();
  if (engine.in_identification()) n = engine.identification_take(wire);
  const base::MutableByteView space = engine.input_space(n);
  n = std::min(n, space.size());
  std::copy_n(wire.begin(), n, space.begin());
  engine.received(n, now);
  return n;
}

// Runs until no side has anything to say. `on_event(event)` sees every event of the engine except
// SignNeeded, which is answered here. `largest` bounds each piece of client output, to fragment it.
template <class Engine, class OnEvent>
void run(SshClient& client, Engine& engine, base::Instant now, OnEvent on_event,
         const std::function<std::size_t()>& largest = {}) {
  const auto drain = [&] {
    while (auto event = engine.next_event()) {
      std::visit(
          [&](auto& e) {
            using E = std::decay_t<decltype(e)>;
            if constexpr (std::is_same_v<E, ssh::SignNeeded>) {
              engine.submit_signature(e.id, HostKeys::shared().sign(e), now);
            } else {
              on_event(e);
            }
          },
          *event);
    }
  };
  for (bool moved = true; moved;) {
    moved = false;
    drain();
    if (const ByteView output = engine.pending_output(); !output.empty()) {
      client.receive(output);
      engine.consumed(output.size());
      moved = true;
    }
    if (ByteView output = client.pending_output(); !output.empty()) {
      if (largest)
        output = output.first(std::min(output.size(), std::max<std::size_t>(1, largest())));
      const std::size_t n = feed(engine, output, now);
      client.consumed(n);
      moved = moved || n != 0;
    }
  }
  drain();
}

}  // namespace sandtrap::test
