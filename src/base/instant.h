// Time as values. Pure code never reads a clock: an Instant (monotonic) or a WallTime is passed in.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace sandtrap::base {

using Duration = std::chrono::nanoseconds;

struct MonotonicClock {  // tag of Instant; read by monotonic_now() at the edges only
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};
using Instant = MonotonicClock::time_point;

// Microseconds since the Unix epoch, UTC.
struct WallTime {
  std::int64_t micros = 0;
};

Instant monotonic_now();  // CLOCK_MONOTONIC
WallTime wall_now();      // CLOCK_REALTIME

std::string to_iso8601(WallTime t);  // "2026-11-21T23:01:45.012345Z"

}  // namespace sandtrap::base
