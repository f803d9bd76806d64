// How long to wait before a role that ended is started again. Pure.
#pragma once

#include <algorithm>

#include "base/instant.h"

namespace sandtrap::app {

// 0, 100 ms, 200 ms … 5 s; from the start again once a process has lived for 30 s.
class Backoff {
 public:
  base::Duration next(base::Duration lived) {
    if (lived >= kHealthy) delay_ = base::Duration(0);
    const base::Duration now = delay_;
    delay_ = std::clamp(delay_ * 2, kFirst, kLongest);
    return now;
  }

  static constexpr base::Duration kFirst = std::chrono::milliseconds(100);
  static constexpr base::Duration kLongest = std::chrono::seconds(5);
  static constexpr base::Duration kHealthy = std::chrono::seconds(30);

 private:
  base::Duration delay_{0};
};

}  // namespace sandtrap::app
