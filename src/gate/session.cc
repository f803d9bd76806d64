#include "gate/session.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "gate/loopback.h"

namespace sandtrap::gate {
namespace {

constexpr std::size_t kPeek = 8192 + 64;  // the longest identification line and its end
constexpr std::size_t kSmallRead = 4096;  // an idle session holds no more than this
constexpr std::size_t kLargeRead = 64 * 1024;
constexpr int kReadsPerTurn = 4;
constexpr std::chrono::seconds kLinger{5};  // for a client that does not take the last words
constexpr std::int64_t kMaxInputHeld = 256LL << 20;  // stdin in memory, all sessions together

boost::asio::steady_timer::time_point to_steady(base::Instant instant) {
  return boost::asio::steady_timer::time_point(instant.time_since_epoch());
}

}  // namespace

Session::Session(Services& services, const Owner& owner, std::shared_ptr<const Persona> persona,
                 Connection connection)
    : services_(services),
      owner_(owner),
      persona_(std::move(persona)),
      id_(base::random_id(services.entropy, 12)),
      remote_(std::move(connection.remote)),
      local_(std::move(connection.local)),
      syn_(std::move(connection.syn)),
      opened_(base::monotonic_now()),
      last_activity_(opened_),
      last_attempt_(opened_),
      socket_(services.executor, std::move(connection.socket)),
      server_(persona_->profile, persona_->host_keys, services.entropy, persona_->delay_secret,
              opened_),
      timer_(services.executor),
      read_hint_(kSmallRead) {
  server_.set_local_port(local_.port);
  server_.set_clock(base::monotonic_now(), base::wall_now());
}

Session::~Session() = default;

void Session::start() {
  emit(opened_event());
  if (!socket_.open()) doom("no descriptor", false);
  turn();
}

// Everything that happens to a session ends here: report what the engine found, send what it and
// the programs queued, then wait for the next thing. Calls from inside fold into the outer one.
void Session::turn() {
  if (in_turn_ || finished_) return;
  const std::shared_ptr<Session> self = shared_from_this();  // finish() lets the owner drop us
  in_turn_ = true;
  do {
    drain_engine();
    if (!silent_) flush();
  } while (!closing_ && feed_starved());
  if (traffic_.full()) note_traffic();
  in_turn_ = false;
  if (closing_ && (silent_ || server_.pending_output().empty())) return finish();
  arm();
}

void Session::settle() {
  turn();
}

bool Session::feed_starved() {
  bool fed = false;
  for (auto& [channel, loopback] : loopbacks_) {
    const std::size_t room = server_.channel_room(channel);
    if (room != 0) loopback->turn();
    fed = fed || server_.channel_room(channel) != room;
  }
  for (auto& [channel, program] : programs_) {
    if (!program.bridge || !program.bridge->starved()) continue;
    const std::size_t room = server_.channel_room(channel);
    if (room == 0) continue;
    program.bridge->feed();
    fed = fed || server_.channel_room(channel) != room;
  }
  return fed;
}

void Session::read_some() {
  for (int i = 0; i < kReadsPerTurn && !closing_; ++i) {
    if (!server_.wants_input() || !read_once()) return;
    drain_engine();
  }
}

// True when there may be more at once.
bool Session::read_once() {
  IoResult result;
  std::size_t asked = 0;
  if (server_.in_identification()) {
    // Nothing behind the line's end (or the first wrong byte) leaves the kernel: see Server.
    const base::MutableByteView space = services_.scratch.first(kPeek);
    result = socket_.peek(space);
    if (result.kind == IoResult::Kind::kDone) {
      asked = server_.identification_take(space.first(result.bytes));
      const base::MutableByteView to = server_.input_space(asked);
      asked = std::min(asked, to.size());
      SANDTRAP_CHECK(asked > 0);  // or we would spin on a readable socket
      result = socket_.read(to.first(asked));
    }
  } else {
    const base::MutableByteView space = server_.input_space(read_hint_);
    asked = space.size();
    SANDTRAP_CHECK(asked > 0);  // wants_input() was asked before
    result = socket_.read(space);
  }
  switch (result.kind) {
    case IoResult::Kind::kWouldBlock:
      return false;
    case IoResult::Kind::kEnd:
      server_.peer_eof(base::monotonic_now());
      return false;
    case IoResult::Kind::kError:
      doom(std::string("read: ") + std::strerror(result.error), true);
      return false;
    case IoResult::Kind::kDone:
      break;
  }
  last_activity_ = base::monotonic_now();
  bytes_in_ += result.bytes;
  traffic_.received(result.bytes);
  server_.received(result.bytes, last_activity_);
  // Bulk input earns large reads, and an idle session gives them back.
  const bool full = result.bytes == asked;
  read_hint_ = full ? std::min(read_hint_ * 2, kLargeRead) : kSmallRead;
  return full;
}

void Session::flush() {
  while (!server_.pending_output().empty()) {
    const IoResult result = socket_.write(server_.pending_output());
    if (result.kind == IoResult::Kind::kWouldBlock) return;
    if (result.kind != IoResult::Kind::kDone) {
      return doom(std::string("write: ") + std::strerror(result.error), true);
    }
    bytes_out_ += result.bytes;
    traffic_.sent(result.bytes);
    last_activity_ = base::monotonic_now();
    server_.consumed(result.bytes);
  }
}

void Session::arm() {
  if (!reading_ && !closing_ && server_.wants_input()) {
    reading_ = true;
    socket_.when_readable([weak = weak_from_this()](boost::system::error_code error) {
      const std::shared_ptr<Session> self = weak.lock();
      if (!self) return;
      self->reading_ = false;
      if (error) return;
      self->read_some();
      self->turn();
    });
  }
  if (!writing_ && !server_.pending_output().empty()) {
    writing_ = true;
    socket_.when_writable([weak = weak_from_this()](boost::system::error_code error) {
      const std::shared_ptr<Session> self = weak.lock();
      if (!self) return;
      self->writing_ = false;
      if (!error) self->turn();
    });
  }
  arm_timer();
}

std::optional<base::Instant> Session::next_deadline() const {
  std::optional<base::Instant> next = server_.deadline();
  const auto consider = [&next](std::optional<base::Instant> other) {
    if (other && (!next || *other < *next)) next = other;
  };
  const config::Server& limits = services_.settings.server;
  if (limits.idle_timeout.count() > 0) consider(last_activity_ + limits.idle_timeout);
  if (limits.session_limit.count() > 0) consider(opened_ + limits.session_limit);
  consider(warden_deadline_);
  consider(linger_deadline_);
  for (const auto& [channel, program] : programs_) consider(program.recording_deadline);
  for (const auto& [channel, loopback] : loopbacks_) consider(loopback->deadline());
  return next;
}

// An armed timer that fires too early costs one look; to move it at each packet would cost more.
void Session::arm_timer() {
  if (closing_ && !linger_deadline_) linger_deadline_ = base::monotonic_now() + kLinger;
  const std::optional<base::Instant> next = next_deadline();
  if (!next || (armed_ && *armed_ <= *next)) return;
  armed_ = next;
  timer_.expires_at(to_steady(*next));
  timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const std::shared_ptr<Session> self = weak.lock();
    if (self && !error) self->on_timer();
  });
}

void Session::on_timer() {
  armed_.reset();
  if (finished_) return;
  const base::Instant now = base::monotonic_now();
  const config::Server& limits = services_.settings.server;
  const auto due = [now](std::optional<base::Instant> when) { return when && *when <= now; };
  if (due(linger_deadline_)) {
    silent_ = true;
  } else if (limits.session_limit.count() > 0 && now >= opened_ + limits.session_limit) {
    doom("session limit", false);
  } else if (limits.idle_timeout.count() > 0 && now >= last_activity_ + limits.idle_timeout) {
    doom("idle timeout", false);
  }
  if (due(warden_deadline_)) fail_questions();
  for (auto& [channel, program] : programs_) {
    if (due(program.recording_deadline)) refuse(program, "recording: the scribe does not answer");
  }
  for (auto& [channel, loopback] : loopbacks_) loopback->tick(now);
  if (due(server_.deadline())) server_.tick(now);
  if (server_.wants_input() && !reading_ && !closing_) read_some();
  turn();
}

void Session::end(std::string reason) {
  doom(std::move(reason), false);
  turn();
}

// Ends the session at the end of this turn: whoever is on the call stack still finds it whole.
void Session::doom(std::string reason, bool by_peer) {
  silent_ = true;
  if (!closing_) closing_ = ssh::Closed{std::move(reason), by_peer};
}

void Session::finish() {
  if (finished_) return;
  finished_ = true;
  close_programs();
  note_traffic();
  const auto lasted = base::monotonic_now() - opened_;
  event::ConnectionClosed closed{};
  closed.reason = closing_->reason;
  closed.by_peer = closing_->by_peer;
  closed.bytes_in = bytes_in_;
  closed.bytes_out = bytes_out_;
  closed.duration_us = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(lasted).count());
  closed.auth_attempts = auth_attempts_;
  closed.channels = channels_;
  emit(closed);
  if (announced_) services_.warden.send(ipc::SessionClosed{id_});
  socket_.close();
  timer_.cancel();
  owner_.closed(*this);
}

std::size_t Session::room(ssh::ChannelId channel) {
  return server_.channel_room(channel);
}
std::size_t Session::output(ssh::ChannelId channel, ssh::Stream stream, base::ByteView data) {
  return server_.channel_output(channel, stream, data);
}
void Session::consumed(ssh::ChannelId channel, std::size_t n) {
  server_.channel_consumed(channel, n);
}
void Session::input_closed(ssh::ChannelId channel) {
  server_.channel_input_closed(channel);
}

bool Session::hold_input(std::int64_t difference) {
  services_.input_held += difference;
  if (difference <= 0 || services_.input_held <= kMaxInputHeld) return true;
  services_.input_held -= difference;
  emit(event::ErrorRaised{"gate", "too much input waits for programs: session ended"});
  doom("input limit", false);
  return false;
}

void Session::failed(ssh::ChannelId channel, const base::Error& error) {
  emit(event::ErrorRaised{"recording", error.context});
  services_.log.error("session {} channel {}: {}", id_, channel, error.context);
  doom(error.code == base::Errc::kLimit ? "recording limit" : "recording failed", false);
}

}  // namespace sandtrap::gate
