#include "ssh/transport.h"

#include <fmt/format.h>

#include <algorithm>

#include "ssh/transport_impl.h"
#include "ssh/wire.h"

namespace sandtrap::ssh {
namespace {

// The peer does not read: stop taking its input until it does.
constexpr std::size_t kStuckOutput = 1 << 20;
// More than the layers above may queue during a key exchange; beyond it something is wrong.
constexpr std::size_t kMaxHeld = 16 << 20;
// Before the first keys only PONGs are held, at the wish of somebody we know nothing about.
constexpr std::size_t kMaxHeldForStranger = 256 * 1024;
constexpr std::size_t kMinRead = 512;
constexpr std::size_t kReadAhead = 64 * 1024;
constexpr std::size_t kLineEnd = 2;  // CR LF
// Types of the transport that never wait for a key exchange to end: all but service and EXT_INFO.
bool passes_key_exchange(std::uint8_t type) {
  return type <= message::kLastTransport && type != message::kServiceRequest &&
         type != message::kServiceAccept && type != message::kExtInfo;
}

}  // namespace

// ---- output ----------------------------------------------------------------------------------

void Transport::Impl::put(ByteView head, ByteView body) {
  if (is_closed) return;
  const std::size_t before = out.size();
  writer.write(out, head, body);
  unflushed += out.size() - before;
}

void Transport::Impl::queue(ByteView head, ByteView body) {
  if (is_closed || head.size() + body.size() == 0) return;
  const std::uint8_t type = head.empty() ? body[0] : head[0];
  const std::size_t size = head.size() + body.size();
  const bool exempt = passes_key_exchange(type);
  const bool exchanging = phase != KexPhase::kNone && phase != KexPhase::kAwaitNewKeys;
  if (!exempt) send_late_ext_info();
  const bool due = !exempt && !exchanging && rekey_due(size);
  if (exempt || (!exchanging && !due)) return put(head, body);
  const std::size_t most = authenticated ? kMaxHeld : kMaxHeldForStranger;
  if (held.size() + size > most) return close_silently("too much output during key exchange");
  std::uint8_t length[4];
  store_u32(length, static_cast<std::uint32_t>(size));
  held.append(length);
  held.append(head);
  held.append(body);
  if (due) send_kex_init();
}

// Our NEWKEYS is out: what waited goes, unless it makes the next key exchange due.
void Transport::Impl::flush_held() {
  while (!held.empty() && !is_closed) {
    const std::size_t size = load_u32(held.view().data());
    if (rekey_due(size)) return send_kex_init();
    put({}, held.view().subspan(4, size));
    held.consume(4 + size);
  }
  held.release_if_empty();
}

void Transport::Impl::send_unimplemented(std::uint32_t sequence) {
  std::uint8_t payload[5] = {message::kUnimplemented};
  store_u32(payload + 1, sequence);
  put({}, payload);
}

void Transport::Impl::close(std::string_view reason, bool by_peer) {
  if (is_closed) return;
  is_closed = true;
  run.reset();
  held.clear();
  held.release_if_empty();
  in.clear();
  events.push_back(Closed{std::string(reason), by_peer});
}

void Transport::Impl::close_silently(std::string_view reason, bool by_peer) {
  if (is_closed) return;
  out.drop_tail(std::min(unflushed, out.size()));
  close(reason, by_peer);
}

void Transport::Impl::disconnect(std::string_view text, std::string_view log_reason) {
  if (is_closed) return;
  send_late_ext_info();
  Writer w(message::kDisconnect);
  w.u32(message::kReasonProtocolError).string(text).string("");
  put({}, w.view());
  close(log_reason.empty() ? text : log_reason, false);
}

// ---- input -----------------------------------------------------------------------------------

void Transport::Impl::read_identification() {
  const std::size_t take = identification.take(in.view());
  const auto state = identification.feed(in.view().first(take));
  in.consume(take);
  if (state == IdentificationReader::State::kReading) return;
  events.push_back(ClientVersion{identification.line()});
  if (state != IdentificationReader::State::kAccepted) {
    const std::string_view line = identification_error(state);
    out.append(base::as_bytes(line));
    write_end = out.size() - kLineEnd;
    return close(state == IdentificationReader::State::kInvalid ? "invalid identification"
                                                                : "protocol version mismatch",
                 false);
  }
  quirks = client_quirks(identification.software());
  if (quirks.scanner) return close_silently("scanner by its software name");
  send_kex_init();
  mark_flushed();
}

// Messages that sshd handles below its dispatch table, wherever they come.
bool Transport::Impl::handle_implicit(ByteView payload) {
  const std::uint8_t type = payload[0];
  Reader r(payload.subspan(1));
  if (type == message::kDisconnect) {
    const std::uint32_t code = r.u32();
    const std::string_view text = base::as_text(r.string());
    close_silently(r.ok() ? fmt::format("client disconnect {}: {}", code, text.substr(0, 200))
                          : "malformed disconnect",
                   true);
    return true;
  }
  // Under strict KEX nothing is taken silently before the first NEWKEYS (Terrapin).
  if (strict_initial()) return false;
  if (type == message::kIgnore) return true;
  if (type == message::kDebug) {
    r.boolean();
    r.string();
    r.string();
  } else if (type == message::kUnimplemented) {
    r.u32();
  } else if (profile.ping && (type == message::kPing || type == message::kPong)) {
    const ByteView data = r.string();
    // Held back while a key exchange runs, as everything that is no part of it.
    if (r.ok() && type == message::kPing) queue({}, Writer(message::kPong).string(data).view());
  } else {
    return false;
  }
  if (!r.ok()) close_silently("malformed transport message");
  return true;
}

// Where PING exists no number is invalid by itself: such packets fall to the dispatch table, which
// is empty for them until the first keys are there.
void Transport::Impl::handle_local(std::uint32_t sequence, ByteView payload) {
  if (handle_implicit(payload)) return;
  if (!first_kex_done) return close_silently(fmt::format("packet type {} before keys", payload[0]));
  send_unimplemented(sequence);
}

void Transport::Impl::unexpected(std::uint8_t type, std::uint32_t sequence) {
  if (strict_initial()) {
    const auto text =
        fmt::format("strict KEX violation: unexpected packet type {} (seqnr {})", type, sequence);
    return disconnect(text, "strict KEX violation");
  }
  send_unimplemented(sequence);
}

void Transport::Impl::dispatch(std::uint32_t sequence, ByteView payload) {
  const std::uint8_t type = payload[0];
  if (profile.ping && type >= message::kFirstLocal) return handle_local(sequence, payload);
  if (type == 0 || type >= message::kFirstLocal) {
    return disconnect(fmt::format("Invalid ssh2 packet type: {}", type), "invalid packet type");
  }
  if (handle_implicit(payload)) return;
  if (type > message::kLastTransport) {
    if (!first_kex_done) return close_silently(fmt::format("packet type {} before keys", type));
    events.push_back(Packet{sequence, payload});
    return;
  }
  if (skip_packets > 0) {
    --skip_packets;
    return;
  }
  if (first_kex_done && type < message::kExtInfo && type > message::kDebug) {
    events.push_back(Packet{sequence, payload});  // SERVICE_REQUEST, SERVICE_ACCEPT
    return;
  }
  on_kex_message(type, sequence, payload);
}

bool Transport::Impl::read_packet() {
  // Before authentication sshd writes everything out before it reads the next packet; afterwards
  // only when it has handled all it had read.
  if (!authenticated) mark_flushed();
  const PacketReader::Result packet = reader.read(in);
  switch (packet.outcome) {
    case PacketReader::Outcome::kNothing:
      return false;
    case PacketReader::Outcome::kCorrupt:
      close_silently(packet.reason);
      return true;
    case PacketReader::Outcome::kBadPadding:
      disconnect(fmt::format("Corrupted padlen {} on input.", packet.padding), "bad padding");
      return true;
    case PacketReader::Outcome::kPacket:
      break;
  }
  dispatch(packet.sequence, packet.payload);
  if (!is_closed && phase == KexPhase::kNone && rekey_due(0)) send_kex_init();
  return true;
}

std::optional<TransportEvent> Transport::Impl::next_event() {
  for (;;) {
    if (next_event_index < events.size()) return std::move(events[next_event_index++]);
    events.clear();
    next_event_index = 0;
    if (is_closed || phase == KexPhase::kSigning) break;
    if (identification.state() == IdentificationReader::State::kReading) {
      if (!in.empty()) {
        read_identification();
        continue;
      }
    } else if (read_packet()) {
      continue;
    }
    if (peer_ended && !is_closed) {
      close_silently("connection closed by peer", true);
      continue;
    }
    break;
  }
  if (phase != KexPhase::kSigning) mark_flushed();
  if (events.capacity() > 0) std::vector<TransportEvent>().swap(events);
  in.release_if_empty();
  return std::nullopt;
}

// ---- the public face -------------------------------------------------------------------------

Transport::Transport(const Profile& profile, const std::vector<HostKey>& keys,
                     base::Entropy& entropy, Instant now)
    : impl_(std::make_unique<Impl>(profile, keys, entropy, now)) {
  impl_->out.append(base::as_bytes("SSH-2.0-" + profile.software + "\r\n"));
}

Transport::~Transport() = default;

bool Transport::in_identification() const {
  return impl_->identification.state() == IdentificationReader::State::kReading;
}

std::size_t Transport::identification_take(ByteView peeked) const {
  return impl_->identification.take(peeked);
}

bool Transport::wants_input() const {
  if (impl_->is_closed || impl_->peer_ended) return false;
  return impl_->phase != KexPhase::kSigning && impl_->out.size() < kStuckOutput;
}

base::MutableByteView Transport::input_space(std::size_t hint) {
  if (!wants_input()) return {};
  return impl_->in.space(std::clamp(hint, kMinRead, kReadAhead));
}

void Transport::received(std::size_t n, Instant) {
  if (impl_->is_closed) return;
  impl_->in.commit(n);
}

void Transport::peer_eof(Instant) {
  impl_->peer_ended = true;
}

void Transport::tick(Instant now) {
  const auto due = deadline();
  if (due && now >= *due) impl_->close_silently("login grace time over");
}

std::optional<Instant> Transport::deadline() const {
  if (impl_->is_closed || impl_->authenticated) return std::nullopt;
  return impl_->grace_end;
}

std::optional<TransportEvent> Transport::next_event() {
  return impl_->next_event();
}

void Transport::submit_signature(std::uint32_t id, ByteView signature, Instant) {
  if (impl_->phase != KexPhase::kSigning || impl_->is_closed || impl_->run->signature_id != id) {
    return;
  }
  impl_->on_signature(signature);
}

void Transport::set_authenticated() {
  if (impl_->authenticated) return;
  impl_->authenticated = true;
  impl_->start_compression();
}

void Transport::send(ByteView payload) {
  impl_->queue({}, payload);
}

void Transport::send(ByteView head, ByteView body) {
  impl_->queue(head, body);
}

void Transport::unimplemented(std::uint32_t sequence) {
  impl_->send_unimplemented(sequence);
}

void Transport::disconnect(std::string_view text, std::string_view log_reason) {
  impl_->disconnect(text, log_reason);
}

void Transport::close_silently(std::string_view log_reason) {
  impl_->close_silently(log_reason);
}

void Transport::first_auth_request() {
  impl_->late_ext_info_due = impl_->late_ext_info_wanted;
}

ByteView Transport::session_identifier() const {
  return impl_->session_identifier;
}

const std::string& Transport::client_software() const {
  return impl_->identification.software();
}

bool Transport::strict_kex() const {
  return impl_->strict;
}

bool Transport::closed() const {
  return impl_->is_closed;
}

ByteView Transport::pending_output() const {
  const ByteView all = impl_->out.view();
  return impl_->write_end > 0 ? all.first(impl_->write_end) : all;
}

void Transport::consumed(std::size_t n) {
  impl_->out.consume(n);
  impl_->write_end -= std::min(impl_->write_end, n);
  impl_->unflushed = std::min(impl_->unflushed, impl_->out.size());
  impl_->out.release_if_empty();
}

std::size_t Transport::output_backlog() const {
  return impl_->out.size() + impl_->held.size();
}

std::size_t Transport::memory_used() const {
  return sizeof(Impl) + impl_->in.capacity() + impl_->out.capacity() + impl_->held.capacity();
}

}  // namespace sandtrap::ssh
