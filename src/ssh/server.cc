#include "ssh/server.h"

#include <algorithm>
#include <utility>

#include "crypto/public_key.h"
#include "ssh/auth.h"
#include "ssh/auth_delay.h"
#include "ssh/connection.h"
#include "ssh/transport.h"

namespace sandtrap::ssh {
namespace {

// Output of all channels that may wait for a slow reader; a full block fits below it or none.
constexpr std::size_t kMaxBacklog = 256 * 1024;
// Answers to requests come on top of it: no more requests are read then.
constexpr std::size_t kMaxBacklogForInput = 512 * 1024;
// Input that may wait while a reply is held: one packet of the largest size and some.
constexpr std::size_t kMaxHeldInput = 320 * 1024;
// A caller that does not ask wants_input() is not allowed to fill the memory.
constexpr std::size_t kHeldInputFlood = 8 * kMaxHeldInput;

}  // namespace

struct Server::Impl {
  Impl(const Profile& profile_in, const std::vector<HostKey>& keys_in, base::Entropy& entropy_in,
       std::uint64_t delay_secret, Instant start)
      : profile(profile_in),
        keys(keys_in),
        entropy(entropy_in),
        now(start),
        transport(profile, keys, entropy, start),
        auth(std::in_place, profile, transport, events, entropy, delay_secret) {}

  bool waiting() const {
    if (auth) return auth->waiting();
    if (connection) return connection->waiting();
    return true;  // the session is being set up
  }
  std::optional<Event> pass_on(Packet& packet);
  std::optional<Event> pass_on(Closed& end);
  template <class Other>
  std::optional<Event> pass_on(Other& other) {
    return std::move(other);
  }
  void observe(const TransportEvent& event);
  std::optional<Event> take_event();
  void after_auth();
  void begin_connection();
  std::size_t backlog_room() const;

  const Profile& profile;
  const std::vector<HostKey>& keys;
  base::Entropy& entropy;
  Instant now;
  std::vector<Event> events;
  std::size_t next = 0;  // of `events`
  Transport transport;
  std::optional<Auth> auth;              // until success
  std::optional<Instant> session_setup;  // between the two
  std::optional<Connection> connection;  // from then on
  std::string user, host_key_algorithm, host_key_algorithms;
  std::uint32_t keys_found = 0;
  std::uint16_t local_port = 0;
  std::size_t held_input = 0;
  bool peer_gone = false, closed = false;
};

std::optional<Event> Server::Impl::pass_on(Packet& packet) {
  if (transport.closed()) return std::nullopt;
  if (connection) {
    connection->handle(packet);
  } else if (auth) {
    auth->handle(packet, now);
    after_auth();
  }
  return std::nullopt;
}

std::optional<Event> Server::Impl::pass_on(Closed& end) {
  closed = true;
  end.by_peer = end.by_peer || peer_gone;
  return std::move(end);
}

// What the layers above need from the transport's own events.
void Server::Impl::observe(const TransportEvent& event) {
  if (const auto* kexinit = std::get_if<ClientKexInit>(&event)) {
    host_key_algorithms = kexinit->host_key;
  } else if (const auto* done = std::get_if<KexDone>(&event); done != nullptr && done->first) {
    host_key_algorithm = done->host_key;
    const std::string_view type = crypto::key_type_of(done->host_key);
    const auto key =
        std::find_if(keys.begin(), keys.end(), [type](const HostKey& k) { return k.type == type; });
    const ByteView blob = key == keys.end() ? ByteView{} : ByteView(key->blob);
    if (auth) auth->set_session(transport.session_identifier(), blob);
  }
}

std::optional<Event> Server::Impl::take_event() {
  if (next == events.size()) return std::nullopt;
  std::optional<Event> event(std::move(events[next++]));
  if (next == events.size()) {
    events.clear();
    next = 0;
  }
  return event;
}

void Server::Impl::after_auth() {
  if (!auth || !auth->succeeded()) return;
  user = auth->user();
  keys_found = auth->keys_found();
  auth.reset();
  transport.set_authenticated();
  const base::Duration pause =
      profile.quantise_delays
          ? random_delay(profile.session_setup_min, profile.session_setup_max, entropy)
          : base::Duration::zero();
  session_setup = now + pause;
  if (pause == base::Duration::zero()) begin_connection();
}

void Server::Impl::begin_connection() {
  session_setup.reset();
  const ByteView id = transport.session_identifier();
  connection.emplace(
      profile, keys, transport, events, entropy,
      ConnectionPeer{user, transport.client_software(), Bytes(id.begin(), id.end()),
                     std::move(host_key_algorithm), std::move(host_key_algorithms), local_port});
  connection->announce_host_keys();
  connection->tell_key_options(keys_found);
}

std::size_t Server::Impl::backlog_room() const {
  const std::size_t backlog = transport.output_backlog();
  // Not a few bytes at a time: sshd sends full blocks too when the client reads slowly.
  return backlog + profile.output_block > kMaxBacklog ? 0 : kMaxBacklog - backlog;
}

Server::Server(const Profile& profile, const std::vector<HostKey>& keys, base::Entropy& entropy,
               std::uint64_t delay_secret, Instant now)
    : impl_(std::make_unique<Impl>(profile, keys, entropy, delay_secret, now)) {}
Server::~Server() = default;

void Server::set_clock(Instant now, base::WallTime wall) {
  if (impl_->auth) impl_->auth->set_clock(now, wall);
}
void Server::set_local_port(std::uint16_t port) {
  impl_->local_port = port;
}
bool Server::in_identification() const {
  return impl_->transport.in_identification();
}
std::size_t Server::identification_take(ByteView peeked) const {
  return impl_->transport.identification_take(peeked);
}
base::MutableByteView Server::input_space(std::size_t hint) {
  return impl_->transport.input_space(hint);
}

void Server::received(std::size_t n, Instant now) {
  Impl& s = *impl_;
  s.now = now;
  s.transport.received(n, now);
  if (!s.waiting()) return;
  s.held_input += n;
  if (s.held_input > kHeldInputFlood) s.transport.close_silently("input flood");
}

void Server::receive(ByteView wire, Instant now) {
  while (!wire.empty()) {
    const base::MutableByteView space = input_space(wire.size());
    const std::size_t n = std::min(space.size(), wire.size());
    if (n == 0) return;
    std::copy_n(wire.begin(), n, space.begin());
    received(n, now);
    wire = wire.subspan(n);
  }
}

void Server::peer_eof(Instant now) {
  Impl& s = *impl_;
  s.now = now;
  s.peer_gone = true;
  s.transport.peer_eof(now);
  // sshd would have started the program by now, and ends with the connection.
  if (s.connection && s.connection->waiting()) s.transport.close_silently("connection closed");
}

bool Server::wants_input() const {
  const Impl& s = *impl_;
  // The transport gives no input_space() while it waits for a signature or after the peer's end.
  if (!s.transport.wants_input()) return false;
  if (s.transport.output_backlog() >= kMaxBacklogForInput) return false;
  return !s.waiting() || s.held_input < kMaxHeldInput;
}

void Server::tick(Instant now) {
  Impl& s = *impl_;
  s.now = now;
  s.transport.tick(now);
  if (s.transport.closed()) return;
  if (s.auth) {
    s.auth->tick(now);
    s.after_auth();
  }
  if (s.session_setup && now >= *s.session_setup) s.begin_connection();
  if (s.connection) s.connection->tick(now);
}

std::optional<Instant> Server::deadline() const {
  const Impl& s = *impl_;
  if (s.closed) return std::nullopt;
  std::optional<Instant> earliest = s.transport.deadline();
  const auto add = [&earliest](const std::optional<Instant>& other) {
    if (other && (!earliest || *other < *earliest)) earliest = other;
  };
  if (s.auth) add(s.auth->deadline());
  add(s.session_setup);
  if (s.connection) add(s.connection->deadline());
  return earliest;
}

std::optional<Event> Server::next_event() {
  Impl& s = *impl_;
  for (;;) {
    if (std::optional<Event> event = s.take_event()) return event;
    // sshd handles one packet at a time; only the end of the connection does not wait.
    if (s.waiting() && !s.transport.closed()) return std::nullopt;
    s.held_input = 0;
    std::optional<TransportEvent> event = s.transport.next_event();
    if (!event) {
      if (s.connection) s.connection->collect();
      return s.take_event();
    }
    s.observe(*event);
    std::optional<Event> out = std::visit([&s](auto& e) { return s.pass_on(e); }, *event);
    if (out) return out;
  }
}

void Server::submit_signature(std::uint32_t id, ByteView signature, Instant now) {
  impl_->now = now;
  impl_->transport.submit_signature(id, signature, now);
}

void Server::submit_proofs(std::uint32_t id, const std::vector<Bytes>& signatures) {
  if (impl_->connection && !impl_->transport.closed()) {
    impl_->connection->submit_proofs(id, signatures);
  }
}

void Server::submit_auth(std::uint32_t id, bool accepted, Instant now) {
  Impl& s = *impl_;
  s.now = now;
  if (!s.auth || s.transport.closed()) return;
  s.auth->submit(id, accepted, now);
  s.after_auth();
}

void Server::submit_program(ChannelId channel, bool started) {
  if (impl_->connection && !impl_->transport.closed()) {
    impl_->connection->submit_program(channel, started);
  }
}

std::size_t Server::channel_room(ChannelId channel) const {
  const Impl& s = *impl_;
  if (!s.connection || s.transport.closed()) return 0;
  return std::min(s.connection->room(channel), s.backlog_room());
}

std::size_t Server::channel_output(ChannelId channel, Stream stream, ByteView data) {
  const std::size_t n = std::min(channel_room(channel), data.size());
  if (n > 0) impl_->connection->output(channel, stream, data.first(n));
  return n;
}

void Server::channel_consumed(ChannelId channel, std::size_t n) {
  if (impl_->connection && !impl_->transport.closed()) impl_->connection->consumed(channel, n);
}
void Server::channel_output_eof(ChannelId channel, std::size_t recent) {
  if (impl_->connection && !impl_->transport.closed()) {
    impl_->connection->output_eof(channel, recent);
  }
}
void Server::channel_exited(ChannelId channel, const Exit& exit) {
  if (impl_->connection && !impl_->transport.closed()) impl_->connection->exited(channel, exit);
}
void Server::channel_input_closed(ChannelId channel) {
  if (impl_->connection && !impl_->transport.closed()) impl_->connection->input_closed(channel);
}
void Server::disconnect(std::string_view reason_text) {
  if (!impl_->transport.closed()) impl_->transport.disconnect(reason_text, reason_text);
}

ByteView Server::pending_output() const {
  return impl_->transport.pending_output();
}
void Server::consumed(std::size_t n) {
  impl_->transport.consumed(n);
}

bool Server::session_started() const {
  return impl_->connection && impl_->connection->session_started();
}

std::size_t Server::memory_used() const {
  const Impl& s = *impl_;
  std::size_t used = sizeof(*this) + sizeof(Impl) + s.transport.memory_used();
  used += s.events.capacity() * sizeof(Event);
  used += s.host_key_algorithm.capacity() + s.host_key_algorithms.capacity();
  if (s.auth) used += s.auth->memory_used() - sizeof(Auth);
  if (s.connection) used += s.connection->memory_used() - sizeof(Connection);
  return used;
}

}  // namespace sandtrap::ssh
