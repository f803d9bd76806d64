// CHANNEL_OPEN (RFC 4254 §5.1): sessions are opened; forwardings are recorded, and fail as the
// profile's rules say.
#include <fmt/format.h>

#include <algorithm>

#include "ssh/channel_messages.h"
#include "ssh/connection.h"

namespace sandtrap::ssh {
namespace {

constexpr std::uint32_t kAdministrativelyProhibited = 1;
constexpr std::uint32_t kConnectFailed = 2;  // sshd's reason for nearly everything
constexpr std::string_view kOpenFailed = "open failed";

}  // namespace

void Connection::channel_open(Reader in) {
  const std::string_view type = in.text();
  Channel::Opening opening{0, in.u32(), in.u32(), in.u32()};
  if (!in.ok()) return malformed("channel open");
  if (type == "session") {
    if (!in.done()) return malformed("session open");
    if (no_more_sessions_) {
      return sink_.disconnect(
          "Possible attack: attempt to open a session after additional sessions disabled",
          "session after no-more-sessions");
    }
    if (!open_session(opening)) {
      send_refusal(opening.remote_id, {kConnectFailed, kOpenFailed});
    }
    return;
  }
  bool answered = false;
  const std::optional<Refusal> refusal = refuse_open(type, in, opening, answered);
  if (answered) return;
  if (!refusal) return malformed("channel open");
  send_refusal(opening.remote_id, *refusal);
}

void Connection::send_refusal(std::uint32_t remote_id, const Refusal& refusal) {
  sink_.send(Writer(message::kChannelOpenFailure)
                 .u32(remote_id)
                 .u32(refusal.reason)
                 .string(refusal.text)
                 .string("")
                 .view());
}

std::optional<ChannelId> Connection::take_number() {
  const auto free =
      std::find_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return !slot.taken; });
  const auto id = static_cast<ChannelId>(free - slots_.begin());
  if (id >= profile_.max_channels) return std::nullopt;
  if (free == slots_.end()) slots_.emplace_back();
  slots_[id].taken = true;
  return id;
}

bool Connection::open_session(Channel::Opening opening) {
  const auto sessions = std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) {
    return slot.channel && !slot.channel->is_direct;
  });
  if (static_cast<std::size_t>(sessions) >= profile_.max_sessions) return false;
  const std::optional<ChannelId> id = take_number();
  if (!id) return false;
  opening.id = *id;
  slots_[*id].channel = std::make_unique<Channel>(opening, profile_, sink_, sends_eow_);
  // No window until a program runs.
  sink_.send(Writer(message::kChannelOpenConfirmation)
                 .u32(opening.remote_id)
                 .u32(*id)
                 .u32(0)
                 .u32(profile_.max_packet)
                 .view());
  events_.emplace_back(ChannelOpened{*id});
  return true;
}

std::optional<Connection::Refusal> Connection::refuse_open(std::string_view type, Reader& in,
                                                           const Channel::Opening& opening,
                                                           bool& answered) {
  ForwardRequest request{std::string(type), {}, 0, {}, false};
  Refusal refusal{kConnectFailed, kOpenFailed};
  if (type == "direct-tcpip") {
    request.host = in.text();
    request.port = in.u32();
    const std::string_view originator = in.text();
    request.originator = fmt::format("{}:{}", originator, in.u32());
    if (!in.done()) return std::nullopt;
    answered = direct_tcpip(request, opening, refusal);
  } else if (type == "direct-streamlocal@openssh.com") {
    request.host = in.text();
    const std::string_view originator = in.text();
    request.originator = fmt::format("{}:{}", originator, in.u32());
    if (!in.done()) return std::nullopt;
  } else if (type == "tun@openssh.com") {
    const std::uint32_t mode = in.u32();
    if (!in.ok()) return std::nullopt;
    const bool known = mode == 1 || mode == 2;  // point to point, ethernet
    send_debug(known ? "Server has rejected tunnel device forwarding"
                     : "Unsupported tunnel device mode.");
  }
  events_.emplace_back(std::move(request));
  return refusal;
}

// True where the answer is given, or comes later.
bool Connection::direct_tcpip(ForwardRequest& request, const Channel::Opening& opening,
                              Refusal& refusal) {
  if (profile_.no_port_forwarding || request.port > 65535) {
    refusal.reason = kAdministrativelyProhibited;
    return false;
  }
  if (request.port == peer_.local_port && peer_.local_port != 0 && is_this_host(request.host)) {
    request.accepted = open_direct(opening);
    return true;
  }
  const ForwardVerdict verdict = judge_forward(profile_.forward_rules, profile_.forward_timing,
                                               request.host, request.port, entropy_);
  if (verdict.lookup == base::Duration::zero() && verdict.connect == base::Duration::zero()) {
    refusal = {verdict.reason, verdict.text};
    return false;
  }
  connect_later(opening.remote_id, verdict);
  return true;
}

// We open no channels ourselves, so neither answer can be right.
void Connection::open_confirmation(Reader in) {
  const Channel* channel = packet_channel(in, "open confirmation");
  if (channel == nullptr) return;
  sink_.disconnect(
      fmt::format("Received open confirmation for non-opening channel {}.", channel->id()),
      "unexpected open confirmation");
}

void Connection::open_failure(Reader in) {
  const Channel* channel = packet_channel(in, "open failure");
  if (channel == nullptr) return;
  sink_.disconnect(fmt::format("Received open failure for non-opening channel {}.", channel->id()),
                   "unexpected open failure");
}

}  // namespace sandtrap::ssh
