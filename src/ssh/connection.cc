#include "ssh/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "ssh/channel_messages.h"
#include "ssh/channel_requests.h"

namespace sandtrap::ssh {
namespace {

// How long exit-status waits for the end of the output that usually comes just before it.
constexpr auto kExitGrace = std::chrono::milliseconds(50);

std::uint32_t draw_per_mille(base::Entropy& entropy) {
  std::uint8_t bytes[4];
  entropy.fill(bytes);
  return load_u32(bytes) % 1000;
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> prefixes) {
  for (const std::string_view prefix : prefixes) {
    if (text.starts_with(prefix)) return true;
  }
  return false;
}

}  // namespace

bool client_knows_eow(std::string_view software) {
  return software.starts_with("OpenSSH") &&
         !starts_with_any(software, {"OpenSSH-2.", "OpenSSH_2.", "OpenSSH_3.", "OpenSSH_4"});
}

bool client_takes_host_keys(std::string_view software) {
  return !starts_with_any(
      software, {"TeraTerm SSH", "Cisco-1.", "TTSSH/1.5.", "TTSSH/2.1", "TTSSH/2.2", "TTSSH/2.3",
                 "TTSSH/2.4", "TTSSH/2.5", "TTSSH/2.6", "TTSSH/2.70", "TTSSH/2.71", "TTSSH/2.72"});
}

Connection::Connection(const Profile& profile, const std::vector<HostKey>& keys, PacketSink& sink,
                       std::vector<Event>& events, base::Entropy& entropy, ConnectionPeer peer)
    : profile_(profile),
      keys_(keys),
      sink_(sink),
      events_(events),
      entropy_(entropy),
      peer_(std::move(peer)),
      sends_eow_(client_knows_eow(peer_.client_software)) {
  if (peer_.local_port != 0) listeners_.occupy(peer_.local_port);
}

struct Connection::Handler {
  std::uint8_t type;
  void (Connection::*handle)(Reader);
};

// sshd's dispatch table after authentication; every other number is UNIMPLEMENTED. Answers to
// requests we never made count as signs of life and are swallowed.
const Connection::Handler Connection::kHandlers[] = {
    {message::kGlobalRequest, &Connection::global_request},
    {message::kRequestSuccess, &Connection::ignored},
    {message::kRequestFailure, &Connection::ignored},
    {message::kChannelOpen, &Connection::channel_open},
    {message::kChannelOpenConfirmation, &Connection::open_confirmation},
    {message::kChannelOpenFailure, &Connection::open_failure},
    {message::kChannelWindowAdjust, &Connection::window_adjust},
    {message::kChannelData, &Connection::data},
    {message::kChannelExtendedData, &Connection::extended_data},
    {message::kChannelEof, &Connection::eof},
    {message::kChannelClose, &Connection::close},
    {message::kChannelRequest, &Connection::channel_request},
    {message::kChannelSuccess, &Connection::ignored},
    {message::kChannelFailure, &Connection::ignored},
};

void Connection::handle(const Packet& packet) {
  if (packet.payload.empty()) return;
  for (const Handler& handler : kHandlers) {
    if (handler.type != packet.payload[0]) continue;
    (this->*handler.handle)(Reader(packet.payload.subspan(1)));
    return;
  }
  sink_.unimplemented(packet.sequence);
}

void Connection::malformed(std::string_view what) {
  sink_.close_silently(fmt::format("malformed {}", what));
}

void Connection::send_debug(std::string_view text) {
  sink_.send(Writer(message::kDebug).boolean(false).string(text).string("").view());
}

Channel* Connection::find(ChannelId id) const {
  return id < slots_.size() ? slots_[id].channel.get() : nullptr;
}

std::optional<std::uint32_t> Connection::packet_channel_id(Reader& in, std::string_view what) {
  const std::uint32_t id = in.u32();
  if (!in.ok()) {
    sink_.disconnect(fmt::format("Invalid {} message", what), "malformed channel message");
    return std::nullopt;
  }
  if (id > std::numeric_limits<std::int32_t>::max()) {
    sink_.disconnect(fmt::format("Invalid {} channel id", what), "malformed channel message");
    return std::nullopt;
  }
  return id;
}

Channel* Connection::packet_channel(Reader& in, std::string_view what) {
  const std::optional<std::uint32_t> id = packet_channel_id(in, what);
  if (!id) return nullptr;
  Channel* channel = find(*id);
  if (channel == nullptr) {
    sink_.disconnect(fmt::format("{} packet referred to nonexistent channel {}", what, *id),
                     "nonexistent channel");
  }
  return channel;
}

void Connection::window_adjust(Reader in) {
  const std::optional<std::uint32_t> id = packet_channel_id(in, "window adjust");
  if (!id) return;
  Channel* channel = find(*id);
  if (channel == nullptr) return;  // logged only
  const std::uint32_t bytes = in.u32();
  if (!in.done()) {
    sink_.disconnect("Invalid window adjust message", "malformed channel message");
    return;
  }
  if (!channel->peer_adjust(bytes)) sink_.close_silently("window adjust overflows");
}

void Connection::data(Reader in) {
  Channel* channel = packet_channel(in, "data");
  if (channel == nullptr || channel->phase() == Channel::Phase::kLarval) return;
  const ByteView bytes = in.string();
  if (!in.done()) return malformed("channel data");
  channel->peer_data(bytes, events_);
}

void Connection::extended_data(Reader in) {
  Channel* channel = packet_channel(in, "extended data");
  if (channel == nullptr || channel->phase() == Channel::Phase::kLarval) return;
  in.u32();
  if (!in.ok()) {
    sink_.disconnect("Invalid extended_data message", "malformed channel message");
  } else if (channel->eof_received()) {
    sink_.disconnect(fmt::format("Received extended_data after EOF on channel {}.", channel->id()),
                     "extended data after EOF");
  }
  // Otherwise dropped, and not even counted against the window: sessions read no second stream.
}

void Connection::eof(Reader in) {
  Channel* channel = packet_channel(in, "ieof");
  if (channel == nullptr) return;
  if (!in.done()) return sink_.disconnect("Invalid ieof message", "malformed channel message");
  channel->peer_eof(events_);
}

void Connection::close(Reader in) {
  Channel* channel = packet_channel(in, "oclose");
  if (channel == nullptr) return;
  if (!in.done()) return sink_.disconnect("Invalid oclose message", "malformed channel message");
  channel->peer_close(events_);
}

void Connection::channel_request(Reader in) {
  const std::uint32_t id = in.u32();
  const std::string_view type = in.text();
  const bool want_reply = in.boolean();
  if (!in.ok()) return malformed("channel request");
  Channel* channel = find(id);
  if (channel == nullptr) {
    // Printed with %d by sshd.
    sink_.disconnect(
        fmt::format("server_input_channel_req: unknown channel {}", static_cast<std::int32_t>(id)),
        "nonexistent channel");
    return;
  }
  // sshd needs its privilege-separated monitor to pass a signal on, and root has none.
  const RequestContext context{*channel,
                               profile_,
                               sink_,
                               events_,
                               agent_requested_,
                               [this](std::size_t sockets) { return take_numbers(sockets); },
                               free_display(),
                               peer_.user == "root"};
  const RequestVerdict verdict = handle_channel_request(type, in, context);
  switch (verdict) {
    case RequestVerdict::kMalformed:
      return malformed("channel request");
    case RequestVerdict::kSecondPty:
      return sink_.disconnect("Protocol error: you already have a pty.", "second pty-req");
    case RequestVerdict::kLater:
      channel->want_reply = want_reply;
      starting_ = channel->id();
      return;
    case RequestVerdict::kSuccess:
    case RequestVerdict::kFailure:
      break;
  }
  if (want_reply && !channel->close_sent()) {
    const bool success = verdict == RequestVerdict::kSuccess;
    sink_.send(Writer(success ? message::kChannelSuccess : message::kChannelFailure)
                   .u32(channel->remote_id())
                   .view());
  }
}

void Connection::submit_program(ChannelId id, bool started) {
  if (starting_ != id) return;
  starting_.reset();
  Channel* channel = find(id);
  if (channel == nullptr) return;
  if (started) {
    session_started_ = true;
    channel->started(channel->want_reply);
    return;
  }
  channel->not_started();
  if (channel->want_reply) {
    sink_.send(Writer(message::kChannelFailure).u32(channel->remote_id()).view());
  }
}

std::size_t Connection::room(ChannelId id) const {
  const Channel* channel = find(id);
  return channel == nullptr ? 0 : channel->room();
}

void Connection::output(ChannelId id, Stream stream, ByteView data) {
  Channel* channel = find(id);
  if (channel != nullptr) channel->send_output(stream, data);
}

void Connection::consumed(ChannelId id, std::size_t n) {
  Channel* channel = find(id);
  if (channel != nullptr) channel->consumed(n);
}

void Connection::output_eof(ChannelId id, std::size_t recent) {
  Channel* channel = find(id);
  if (channel == nullptr) return;
  const std::uint32_t chance = recent == 0                      ? profile_.status_first_quiet
                               : recent >= profile_.bulk_output ? profile_.status_first_bulk
                               : channel->has_pty               ? profile_.status_first_terminal
                                                                : profile_.status_first_output;
  channel->output_eof(chance != 0 && draw_per_mille(entropy_) < chance);
  exit_waits_ = exit_waits_ || channel->end_waits();
}

void Connection::exited(ChannelId id, const Exit& exit) {
  Channel* channel = find(id);
  if (channel == nullptr) return;
  channel->exited(exit);
  exit_waits_ = exit_waits_ || channel->end_waits();
}

void Connection::input_closed(ChannelId id) {
  Channel* channel = find(id);
  if (channel != nullptr) channel->input_closed();
}

// The first tick after an exit starts the wait: exited() is told no time.
std::optional<Instant> Connection::deadline() const {
  std::optional<Instant> next = forward_deadline();
  if (!exit_waits_) return next;
  const Instant end = exit_deadline_.value_or(Instant{});
  return next ? std::min(*next, end) : end;
}

void Connection::tick(Instant now) {
  tick_forwards(now);
  if (!exit_waits_) return;
  if (!exit_deadline_) exit_deadline_ = now + kExitGrace;
  if (now < *exit_deadline_) return;
  exit_waits_ = false;
  exit_deadline_.reset();
  for (const Slot& slot : slots_) {
    if (slot.channel) slot.channel->flush_end();
  }
}

void Connection::collect() {
  for (ChannelId id = 0; id < slots_.size(); ++id) {
    if (!slots_[id].channel) continue;
    slots_[id].channel->end_round();
    if (!slots_[id].channel->finished()) continue;
    release(slots_[id].channel->listeners);
    slots_[id] = {};
    events_.emplace_back(ChannelClosed{id});
  }
}

std::size_t Connection::memory_used() const {
  std::size_t used = sizeof(*this) + slots_.capacity() * sizeof(slots_[0]);
  for (const Slot& slot : slots_) used += slot.channel ? sizeof(Channel) : 0;
  return used + connecting_.capacity() * sizeof(Pending);
}

}  // namespace sandtrap::ssh
