#include "warden/demand.h"

#include <algorithm>
#include <cmath>

namespace sandtrap::warden {
namespace {

// Seconds after which an arrival weighs 1/e.
constexpr double kFast = 5, kSlow = 300;
// Share of a new measurement in the start time. A slower one counts for more: to be caught with too
// few warm costs an attacker, one too many costs some memory.
constexpr double kSlower = 0.5, kQuicker = 0.1;
constexpr double kLongestStart = 120;  // seconds; a stuck engine must not ask for everything
constexpr double kNobody = 0.05;       // expected arrivals during a start that count as none

double seconds(base::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

double Demand::decayed(const Decay& decay, double time_constant, base::Instant now) {
  const double passed = std::max(seconds(now - decay.at), 0.0);
  return decay.weight * std::exp(-passed / time_constant);
}

void Demand::arrived(base::Instant now) {
  fast_ = {decayed(fast_, kFast, now) + 1, now};
  slow_ = {decayed(slow_, kSlow, now) + 1, now};
}

void Demand::started(base::Duration start_time) {
  const double measured = std::clamp(seconds(start_time), 0.0, kLongestStart);
  if (!measured_) {
    start_s_ = measured;
    measured_ = true;
    return;
  }
  const double share = measured > start_s_ ? kSlower : kQuicker;
  start_s_ += share * (measured - start_s_);
}

double Demand::rate(base::Instant now) const {
  return std::max(decayed(fast_, kFast, now) / kFast, decayed(slow_, kSlow, now) / kSlow);
}

base::Duration Demand::start_time() const {
  return std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(start_s_));
}

std::uint32_t Demand::target(base::Instant now) const {
  const std::uint32_t most = std::max(bounds_.least, bounds_.most);
  const double expected = rate(now) * start_s_;
  if (expected < kNobody) return bounds_.least;
  const double wanted = std::ceil(expected + 2 * std::sqrt(expected));
  return std::clamp(wanted < most ? static_cast<std::uint32_t>(wanted) : most, bounds_.least, most);
}

}  // namespace sandtrap::warden
