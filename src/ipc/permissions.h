// Which request a gate may send for a session, and when: OpenSSH's monitor table for SandTrap.
// Pure. The warden keeps one SessionPermits per session and asks before it acts.
//
// Two ways to say no. kDenied: no honest gate ever sends this, so the gate is compromised.
// kLimit: an attacker can get there through an honest gate (by rekeying or opening programs for
// ever), so only this request is refused.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string_view>

#include "base/error.h"
#include "ipc/messages.h"

namespace sandtrap::ipc {

//   kUnknown --SessionOpened--> kPreAuth --AuthDecision(accepted)--> kAuthenticated
//      |                                                                  ^
//      +--SessionResumed (to a restarted warden)--> kPreAuth or ----------+
//   any of the two --SessionClosed--> kGone
enum class Phase { kUnknown, kPreAuth, kAuthenticated, kGone };

enum Flag : unsigned {
  kOnce = 1,          // at most once per session
  kCounted = 2,       // bounded by SessionPermits::limits
  kNeedsChannel = 4,  // the channel must have been opened by OpenProcess. It may have ended since:
                      // the gate's message and our ProcessExited can cross on the wire
};

struct Permission {
  std::string_view request;  // ipc::name()
  std::span<const Phase> phases;
  unsigned flags;
};
std::span<const Permission> permission_table();  // gate -> warden requests, complete

struct PermitLimits {
  std::uint32_t max_auth_attempts = 6;    // Authenticate requests
  std::uint32_t max_signatures = 100000;  // rekeys
  std::uint32_t max_processes = 1000;     // OpenProcess over a session's life
  std::uint32_t max_channels = 10;        // open at once
  std::uint32_t max_recordings = 1000;    // RecordingNamed over a session's life
};

inline constexpr std::uint32_t kMaxChannelNumber = 1U << 20;  // exclusive
inline constexpr std::size_t kMaxEver = 4096;                 // different numbers per session

class SessionPermits {
 public:
  explicit SessionPermits(PermitLimits limits) : limits_(limits) {}
  // kDenied or kLimit (see above) if `message` is not allowed now; otherwise advances the state.
  base::Status request(const Message& message);
  void authenticated();  // the warden accepted
  // The channel's process is over and the gate was told: its number may be opened again.
  void process_ended(std::uint32_t channel);
  Phase phase() const { return phase_; }
  std::size_t open_channels() const { return open_.size(); }

 private:
  base::Status check_channel(const Permission& permission, const Message& message) const;
  base::Status count(const Message& message);
  base::Status resume(const SessionResumed& resumed);

  PermitLimits limits_;
  Phase phase_ = Phase::kUnknown;
  std::uint32_t auth_ = 0, signatures_ = 0, processes_ = 0, recordings_ = 0;
  std::set<std::uint32_t> open_;  // opened and not ended
  std::set<std::uint32_t> seen_;  // ever opened; sshd reuses the lowest number, so this stays small
};

}  // namespace sandtrap::ipc
