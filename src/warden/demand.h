// How many sandboxes should be warm. Pure: the caller passes the time.
//
// By Little's law, of attackers that come at a rate r while a start takes time s, r·s come during
// one start. As many must be warm for each to find one, and some more because they do not come
// evenly: two standard deviations of a Poisson process. The rate is the greater of two estimates: a
// fast one that answers a burst, and a slow one that keeps the pool up between two of them.
#pragma once

#include <cstdint>

#include "base/instant.h"

namespace sandtrap::warden {

class Demand {
 public:
  struct Bounds {
    std::uint32_t least = 0, most = 0;
  };
  explicit Demand(Bounds bounds) : bounds_(bounds) {}

  void arrived(base::Instant now);          // someone needed a sandbox
  void started(base::Duration start_time);  // making one took that long
  void configure(Bounds bounds) { bounds_ = bounds; }

  double rate(base::Instant now) const;  // arrivals a second
  base::Duration start_time() const;
  std::uint32_t target(base::Instant now) const;

 private:
  struct Decay {  // arrivals, each with a weight that halves again and again
    double weight = 0;
    base::Instant at{};
  };
  static double decayed(const Decay& decay, double time_constant, base::Instant now);

  Bounds bounds_;
  Decay fast_, slow_;
  double start_s_ = 1;  // of the first start nothing is known
  bool measured_ = false;
};

}  // namespace sandtrap::warden
