// CHANNEL_OPEN (RFC 4254 §5.1): sessions are opened; forwardings are recorded and refused.
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
  const std::uint32_t remote_id = in.u32();
  const std::uint32_t window = in.u32();
  const std::uint32_t max_packet = in.u32();
  if (!in.ok()) return malformed("channel open");
  std::optional<Refusal> refusal;
  if (type == "session") {
    if (!in.done()) return malformed("session open");
    if (no_more_sessions_) {
      return sink_.disconnect(
          "Possible attack: attempt to open a session after additional sessions disabled",
          "session after no-more-sessions");
    }
    if (open_session(remote_id, window, max_packet)) return;
    refusal = Refusal{kConnectFailed, kOpenFailed};
  } else {
    refusal = refuse_open(type, in);
    if (!refusal) return malformed("channel open");
  }
  sink_.send(Writer(message::kChannelOpenFailure)
                 .u32(remote_id)
                 .u32(refusal->reason)
                 .string(refusal->text)
                 .string("")
                 .view());
}

bool Connection::open_session(std::uint32_t remote_id, std::uint32_t window,
                              std::uint32_t max_packet) {
  const auto free = std::find(channels_.begin(), channels_.end(), nullptr);
  const auto id = static_cast<ChannelId>(free - channels_.begin());
  if (id >= profile_.max_sessions) return false;  // numbers are dense: so many are in use
  auto channel = std::make_unique<Channel>(Channel::Opening{id, remote_id, window, max_packet},
                                           profile_, sink_, sends_eow_);
  if (free == channels_.end()) {
    channels_.push_back(std::move(channel));
  } else {
    *free = std::move(channel);
  }
  // No window until a program runs.
  sink_.send(Writer(message::kChannelOpenConfirmation)
                 .u32(remote_id)
                 .u32(id)
                 .u32(0)
                 .u32(profile_.max_packet)
                 .view());
  events_.emplace_back(ChannelOpened{id});
  return true;
}

std::optional<Connection::Refusal> Connection::refuse_open(std::string_view type, Reader& in) {
  ForwardRequest request{std::string(type), {}, 0, {}};
  Refusal refusal{kConnectFailed, kOpenFailed};
  if (type == "direct-tcpip") {
    request.host = in.text();
    request.port = in.u32();
    const std::string_view originator = in.text();
    request.originator = fmt::format("{}:{}", originator, in.u32());
    if (!in.done()) return std::nullopt;
    if (profile_.no_port_forwarding || request.port > 65535) {
      refusal.reason = kAdministrativelyProhibited;
    } else {
      refusal.text = "Connection refused";
    }
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
