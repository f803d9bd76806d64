#include "ipc/permissions.h"

#include <algorithm>
#include <array>
#include <optional>

namespace sandtrap::ipc {
namespace {

constexpr std::array kFresh = {Phase::kUnknown};
constexpr std::array kBeforeAuth = {Phase::kPreAuth};
constexpr std::array kAfterAuth = {Phase::kAuthenticated};
constexpr std::array kAlive = {Phase::kPreAuth, Phase::kAuthenticated};

// Rekeying goes on after authentication, so Sign is allowed for all of a session's life;
// hostkeys-prove-00@openssh.com belongs to the connection protocol (OpenSSH PROTOCOL §2.5).
constexpr std::array kTable = {
    Permission{"SessionOpened", kFresh, kOnce},
    Permission{"SessionResumed", kFresh, kOnce},
    Permission{"Sign", kAlive, kCounted},
    Permission{"Prove", kAfterAuth, kCounted},
    Permission{"Authenticate", kBeforeAuth, kCounted},
    Permission{"OpenProcess", kAfterAuth, kCounted},
    Permission{"ResizeProcess", kAfterAuth, kNeedsChannel},
    Permission{"SignalProcess", kAfterAuth, kNeedsChannel},
    Permission{"CloseProcess", kAfterAuth, kNeedsChannel},
    Permission{"RecordingNamed", kAfterAuth, kCounted},
    Permission{"SessionClosed", kAlive, kOnce},
};

const Permission* find(std::string_view request) {
  const auto* it = std::find_if(kTable.begin(), kTable.end(),
                                [&](const Permission& row) { return row.request == request; });
  return it == kTable.end() ? nullptr : it;
}

std::optional<std::uint32_t> channel_of(const Message& message) {
  return std::visit(
      [](const auto& m) -> std::optional<std::uint32_t> {
        if constexpr (requires { m.channel; }) {
          return m.channel;
        } else {
          return std::nullopt;
        }
      },
      message);
}

std::string_view phase_name(Phase phase) {
  switch (phase) {
    case Phase::kUnknown:
      return "an unknown session";
    case Phase::kPreAuth:
      return "a session before authentication";
    case Phase::kAuthenticated:
      return "an authenticated session";
    case Phase::kGone:
      return "a closed session";
  }
  return "?";
}

base::Status denied(std::string_view request, std::string_view why) {
  std::string text(request);
  text += ": ";
  text += why;
  return base::fail(base::Errc::kDenied, std::move(text));
}

base::Status bounded(std::uint32_t& counter, std::uint32_t limit, std::string_view what) {
  if (counter >= limit) return base::fail(base::Errc::kLimit, std::string(what));
  ++counter;
  return {};
}

}  // namespace

std::span<const Permission> permission_table() {
  return kTable;
}

base::Status SessionPermits::check_channel(const Permission& permission,
                                           const Message& message) const {
  const std::optional<std::uint32_t> channel = channel_of(message);
  if (!channel) return {};
  if (*channel >= kMaxChannelNumber) return denied(permission.request, "channel out of range");
  if ((permission.flags & kNeedsChannel) != 0 && !seen_.contains(*channel)) {
    return denied(permission.request, "channel was never opened");
  }
  return {};
}

base::Status SessionPermits::count(const Message& message) {
  if (std::holds_alternative<Authenticate>(message)) {
    return bounded(auth_, limits_.max_auth_attempts, "authentication attempts");
  }
  if (std::holds_alternative<Sign>(message) || std::holds_alternative<Prove>(message)) {
    return bounded(signatures_, limits_.max_signatures, "signatures");
  }
  if (std::holds_alternative<RecordingNamed>(message)) {
    return bounded(recordings_, limits_.max_recordings, "recordings");
  }
  const auto* open = std::get_if<OpenProcess>(&message);
  if (open == nullptr) return {};
  if (open_.contains(open->channel)) return denied("OpenProcess", "channel is open already");
  if (open_.size() >= limits_.max_channels || seen_.size() >= kMaxEver) {
    return base::fail(base::Errc::kLimit, "open channels");
  }
  if (auto ok = bounded(processes_, limits_.max_processes, "processes"); !ok) return ok;
  open_.insert(open->channel);
  seen_.insert(open->channel);
  return {};
}

base::Status SessionPermits::request(const Message& message) {
  const std::string_view name = ipc::name(message);
  const Permission* row = find(name);
  if (row == nullptr) return denied(name, "not a gate's request");
  if (std::find(row->phases.begin(), row->phases.end(), phase_) == row->phases.end()) {
    return denied(name, phase_name(phase_));
  }
  if (auto ok = check_channel(*row, message); !ok) return ok;
  if (auto ok = count(message); !ok) return ok;

  if (std::holds_alternative<SessionOpened>(message)) phase_ = Phase::kPreAuth;
  if (std::holds_alternative<SessionClosed>(message)) phase_ = Phase::kGone;
  if (const auto* close = std::get_if<CloseProcess>(&message)) open_.erase(close->channel);
  if (const auto* resumed = std::get_if<SessionResumed>(&message)) return resume(*resumed);
  return {};
}

base::Status SessionPermits::resume(const SessionResumed& resumed) {
  const std::vector<std::uint32_t>& channels = resumed.channels;
  if (channels.size() > limits_.max_channels) return denied("SessionResumed", "too many channels");
  if (!resumed.authenticated && !channels.empty()) {
    return denied("SessionResumed", "channels before authentication");
  }
  const bool in_range = std::all_of(channels.begin(), channels.end(),
                                    [](std::uint32_t c) { return c < kMaxChannelNumber; });
  if (!in_range) return denied("SessionResumed", "channel out of range");
  open_.insert(channels.begin(), channels.end());
  seen_.insert(channels.begin(), channels.end());
  phase_ = resumed.authenticated ? Phase::kAuthenticated : Phase::kPreAuth;
  return {};
}

void SessionPermits::authenticated() {
  if (phase_ == Phase::kPreAuth) phase_ = Phase::kAuthenticated;
}

void SessionPermits::process_ended(std::uint32_t channel) {
  open_.erase(channel);
}

}  // namespace sandtrap::ipc
