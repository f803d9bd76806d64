// Shared by the fuzzers of the layers above the transport: a Server and a client joined in memory,
// and a script of packets from the fuzz input.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "ssh/channel_messages.h"
#include "ssh/server.h"
#include "ssh/wire.h"
#include "support/joined.h"
#include "support/ssh_client.h"

namespace sandtrap::fuzz {

class Script {
 public:
  explicit Script(base::ByteView bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    const base::ByteView b = take(1);
    return b.empty() ? std::uint8_t{0} : b[0];
  }
  base::ByteView packet() {  // two-byte length, then so many bytes; never empty
    const std::size_t high = byte();
    const std::size_t n = high << 8 | byte();
    const base::ByteView bytes = take(std::max<std::size_t>(1, n));
    static constexpr std::uint8_t kIgnore[] = {2};
    return bytes.empty() ? base::ByteView(kIgnore) : bytes;
  }

 private:
  base::ByteView take(std::size_t n) {
    const base::ByteView out = rest_.first(std::min(n, rest_.size()));
    rest_ = rest_.subspan(out.size());
    return out;
  }
  base::ByteView rest_;
};

inline base::Bytes service_request() {
  return ssh::Writer(ssh::message::kServiceRequest).string("ssh-userauth").take();
}

inline test::ClientOptions fast_client() {
  test::ClientOptions options;
  options.cipher = "aes128-gcm@openssh.com";
  return options;
}

class Joined {
 public:
  explicit Joined(const ssh::Profile& profile)
      : profile_(profile),
        server(profile_, test::HostKeys::shared().public_keys(), server_entropy_, 1, now),
        client(fast_client(), client_entropy_) {}

  // `on_event` sees every event; the invariants of any state are checked here.
  template <class OnEvent>
  void run(OnEvent& on_event) {
    test::run(client, server, now, [&](auto& event) {
      if (closed) std::abort();  // Closed is the last event
      closed = std::is_same_v<std::decay_t<decltype(event)>, ssh::Closed>;
      on_event(event);
    });
    while (client.next_payload()) {
    }
    if (server.memory_used() > (4U << 20)) std::abort();
    if (closed && (server.wants_input() || server.deadline())) std::abort();
  }
  template <class OnEvent>
  void tick(base::Instant at, OnEvent& on_event) {
    now = std::max(now, at);
    server.tick(now);
    run(on_event);
  }

 private:
  ssh::Profile profile_;
  test::SeededEntropy server_entropy_{1}, client_entropy_{2};

 public:
  base::Instant now{std::chrono::hours(1)};
  ssh::Server server;
  test::SshClient client;
  bool closed = false;
};

}  // namespace sandtrap::fuzz
