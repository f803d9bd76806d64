#include "gate/loopback.h"

#include <utility>

namespace sandtrap::gate {
namespace {

// For a client that sends and never reads. A real connection would stand still; this one ends.
constexpr std::size_t kMaxUnsent = 256 * 1024;

}  // namespace

Loopback::Loopback(std::shared_ptr<const Persona> persona, base::Entropy& entropy, Owner owner)
    : persona_(std::move(persona)),
      server_(persona_->profile, persona_->host_keys, entropy, persona_->delay_secret,
              base::monotonic_now()),
      owner_(std::move(owner)) {
  server_.set_clock(base::monotonic_now(), base::wall_now());
}

void Loopback::input(base::ByteView data) {
  // A socket's reader would stop for an engine that is busy; the engine bounds what it keeps.
  while (!data.empty() && !closed_) {
    // Behind the identification's first wrong byte nothing is read, as from a socket.
    const std::size_t whole =
        server_.in_identification() ? server_.identification_take(data) : data.size();
    if (whole == 0) return;
    server_.receive(data.first(whole), base::monotonic_now());
    data = data.subspan(whole);
    turn();
  }
}

void Loopback::input_ended() {
  if (!closed_) server_.peer_eof(base::monotonic_now());
  turn();
}

void Loopback::signature(std::uint32_t id, base::ByteView signature) {
  server_.submit_signature(id, signature, base::monotonic_now());
  turn();
}

void Loopback::tick(base::Instant now) {
  const auto due = server_.deadline();
  if (due && *due <= now) server_.tick(now);
  turn();
}

void Loopback::turn() {
  while (!closed_) {
    std::optional<ssh::Event> event = server_.next_event();
    if (!event) break;
    if (const auto* sign = std::get_if<ssh::SignNeeded>(&*event)) {
      owner_.sign(*sign);
    } else if (const auto* attempt = std::get_if<ssh::AuthAttempt>(&*event)) {
      owner_.refused(*attempt);
      if (attempt->needs_decision) {
        server_.submit_auth(attempt->id, false, base::monotonic_now());
      }
    } else if (std::holds_alternative<ssh::Closed>(*event)) {
      closed_ = true;
    }
  }
  // What was written to a socket in pieces is read from it in one.
  while (!server_.pending_output().empty()) {
    base::append(unsent_, server_.pending_output());
    server_.consumed(server_.pending_output().size());
  }
  const std::size_t sent = unsent_.empty() ? 0 : owner_.output(unsent_);
  unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(sent));
  if (unsent_.size() > kMaxUnsent) {
    closed_ = true;
    base::Bytes().swap(unsent_);
  }
  if (!unsent_.empty()) return;
  if (closed_ && !std::exchange(ended_, true)) owner_.ended();
}

}  // namespace sandtrap::gate
