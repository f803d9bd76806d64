// The demand controller, alone and in simulations of a pool.
#include "warden/demand.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <deque>
#include <vector>

namespace sandtrap::warden {
namespace {

using namespace std::chrono_literals;
using base::Duration;
using base::Instant;

TEST(Demand, NobodyCameMeansTheLeast) {
  const Demand demand({3, 20});
  EXPECT_EQ(demand.target(Instant(0s)), 3U);
  EXPECT_EQ(demand.target(Instant(1000h)), 3U);
}

TEST(Demand, FollowsRateTimesStartTimeAndComesDownAgain) {
  Demand demand({2, 50});
  demand.started(2s);
  Instant now(0s);
  for (int i = 0; i < 600; ++i) demand.arrived(now += 200ms);  // 5 a second for two minutes
  EXPECT_NEAR(demand.rate(now), 5, 1);
  EXPECT_GE(demand.target(now), 10U);
  EXPECT_LE(demand.target(now), 20U);
  EXPECT_LT(demand.target(now + 2min), 12U);
  EXPECT_EQ(demand.target(now + 1h), 2U);
}

TEST(Demand, SlowStartsNeedMoreAndCountAtOnce) {
  Demand quick({0, 1000}), slow({0, 1000});
  quick.started(100ms);
  slow.started(100ms);
  slow.started(10s);
  Instant now(0s);
  for (int i = 0; i < 100; ++i) {
    now += 500ms;
    quick.arrived(now);
    slow.arrived(now);
  }
  EXPECT_LE(quick.target(now), 2U);
  EXPECT_GE(slow.target(now), 10U);
  slow.started(10h);  // a stuck engine: bounded
  EXPECT_LE(slow.start_time(), 120s);
}

TEST(DemandProperty, StaysInItsBoundsAndNeverFallsByAnArrival) {
  EXPECT_TRUE(rc::check([] {
    const std::uint32_t least = *rc::gen::inRange(0U, 20U);
    const std::uint32_t most = *rc::gen::inRange(0U, 60U);
    Demand demand({least, most});
    Instant now(0s);
    for (const int step : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 100'000))) {
      now += std::chrono::milliseconds(step);
      const std::uint32_t before = demand.target(now);
      demand.arrived(now);
      RC_ASSERT(demand.target(now) >= before);
      demand.started(std::chrono::milliseconds(step % 7000));
      const std::uint32_t target = demand.target(now);
      RC_ASSERT(target >= least);
      RC_ASSERT(target <= std::max(least, most));
    }
  }));
}

// A pool in discrete time: `makers` starts at once, each takes `start`; who finds nothing waits.
struct Simulation {
  Simulation(Demand::Bounds bounds, Duration start, std::uint32_t makers)
      : demand(bounds), start_time(start), makers_at_once(makers), warm(bounds.least) {}

  void step(bool arrival) {
    now += 10ms;
    std::erase_if(making, [this](Instant ready) {
      if (ready > now) return false;
      demand.started(start_time);
      waiting > 0 ? --waiting : ++warm;
      return true;
    });
    if (arrival) {
      demand.arrived(now);
      ++arrivals;
      if (warm > 0) {
        --warm;
      } else {
        ++waiting;
        ++cold;
      }
    }
    const std::uint32_t target = demand.target(now);
    while (making.size() < makers_at_once && warm + making.size() < target + waiting) {
      making.push_back(now + start_time);
    }
    if (warm > target) --warm;
    most_warm = std::max(most_warm, warm);
  }
  // `gap` between two arrivals; zero: none.
  void run(Duration length, Duration gap) {
    Instant next = now + gap;
    for (const Instant end = now + length; now < end;) {
      const bool due = gap.count() > 0 && now >= next;
      if (due) next += gap;
      step(due);
    }
  }

  Demand demand;
  Duration start_time;
  std::uint32_t makers_at_once, warm;
  Instant now{};
  std::vector<Instant> making;
  std::uint32_t waiting = 0, cold = 0, arrivals = 0, most_warm = 0;
};

TEST(DemandSimulation, ABurstOfTenASecondIsServedWarmOnceItIsSeen) {
  Simulation pool({3, 40}, 500ms, 8);
  pool.run(20s, 100ms);
  const std::uint32_t first = pool.cold;
  pool.run(60s, 100ms);
  EXPECT_LE(first, 20U);
  EXPECT_LE(pool.cold - first, 6U);  // of 600
  EXPECT_LE(pool.most_warm, 20U);
}

TEST(DemandSimulation, TheSameBurstWithAFixedSizeOfThreeWaits) {
  Simulation pool({3, 3}, 500ms, 8);
  pool.run(80s, 100ms);
  EXPECT_GT(pool.cold, 200U);
}

TEST(DemandSimulation, AQuietNightCostsTheLeast) {
  Simulation pool({3, 40}, 500ms, 4);
  pool.run(30s, 100ms);
  pool.run(1h, 0s);
  EXPECT_EQ(pool.warm, 3U);
  pool.run(8h, 30min);  // now and then one
  EXPECT_EQ(pool.waiting, 0U);
  EXPECT_LE(pool.warm, 3U);
}

TEST(DemandSimulation, SlowStartsAreMadeUpForByMoreWarmOnes) {
  Simulation pool({3, 60}, 8s, 16);
  pool.run(2min, 1s);
  const std::uint32_t first = pool.cold;
  pool.run(5min, 1s);
  EXPECT_LE(pool.cold - first, 3U);  // of 300
}

}  // namespace
}  // namespace sandtrap::warden
