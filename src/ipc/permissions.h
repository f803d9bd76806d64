// Which request a gate may send for a session, and when: OpenSSH's monitor table for SandTrap.
// Pure. The warden keeps one SessionPermits per session and asks before it acts.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string_view>

#include "base/error.h"
#include "ipc/messages.h"

namespace sandtrap::ipc {

//   kUnknown --SessionOpened--> kPreAuth --AuthDecision(accepted)--> kAuthenticated
//   --SessionClosed--> kGone
enum class Phase { kUnknown, kPreAuth, kAuthenticated, kGone };

enum Flag : unsigned {
  kOnce = 1,          // at most once per session
  kCounted = 2,       // bounded by SessionPermits::limits
  kNeedsChannel = 4,  // the channel must have been opened by OpenProcess
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
};

class SessionPermits {
 public:
  explicit SessionPermits(PermitLimits limits) : limits_(limits) {}
  // kDenied with the reason if `message` is not allowed now; otherwise advances the counters.
  base::Status request(const Message& message);
  void authenticated();  // the warden accepted
  void process_ended(std::uint32_t channel);
  Phase phase() const { return phase_; }

 private:
  PermitLimits limits_;
  Phase phase_ = Phase::kUnknown;
  std::uint32_t auth_ = 0, signatures_ = 0, processes_ = 0;
  std::set<std::uint32_t> channels_;
};

}  // namespace sandtrap::ipc
