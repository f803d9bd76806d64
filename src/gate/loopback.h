// What answers a client that forwards a port to this very machine's SSH: the same engine once more,
// behind a channel instead of a socket. Nobody gets in there; every try is logged with the session.
// Owned by the session, which carries its bytes, its time and its questions.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "gate/services.h"
#include "ssh/server.h"

namespace sandtrap::gate {

class Loopback {
 public:
  struct Owner {
    // Takes what there is room for; returns how much.
    std::function<std::size_t(base::ByteView)> output;
    std::function<void()> ended;  // no more output: once
    std::function<void(const ssh::SignNeeded&)> sign;
    std::function<void(const ssh::AuthAttempt&)> refused;
  };

  Loopback(std::shared_ptr<const Persona> persona, base::Entropy& entropy, Owner owner);
  Loopback(const Loopback&) = delete;
  Loopback& operator=(const Loopback&) = delete;

  void input(base::ByteView data);
  void input_ended();
  void signature(std::uint32_t id, base::ByteView signature);
  std::optional<base::Instant> deadline() const { return server_.deadline(); }
  void tick(base::Instant now);
  // Handles what the engine found and sends what there is room for.
  void turn();

 private:
  const std::shared_ptr<const Persona> persona_;
  ssh::Server server_;
  Owner owner_;
  base::Bytes unsent_;  // for want of room; bounded
  bool closed_ = false, ended_ = false;
};

}  // namespace sandtrap::gate
