#include "cases/life.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>

namespace sandtrap::cases {
namespace {

using namespace std::chrono_literals;

base::Instant at(std::chrono::seconds t) {
  return base::Instant(t);
}

Life life(std::size_t running, std::size_t frozen) {
  return Life(LifeSettings{60s, 600s, running, frozen, 1000});
}

void in_use(Life& life, const std::string& id) {
  ASSERT_TRUE(life.reserve());
  life.add(id, LifeState::kInUse, at(0s));
}

TEST(Life, ObservedThenFrozenThenEnded) {
  Life l = life(2, 2);
  in_use(l, "a");
  EXPECT_TRUE(l.step(at(10000s), 0, "").empty());  // a session is in it
  l.leave("a", at(100s));
  EXPECT_EQ(l.next(), at(160s));
  EXPECT_TRUE(l.step(at(159s), 0, "").empty());
  auto orders = l.step(at(160s), 0, "");
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(orders[0].kind, LifeOrder::Kind::kFreeze);
  EXPECT_FALSE(orders[0].evicted);
  l.froze("a", 10);
  EXPECT_EQ(l.asleep(), 1U);
  EXPECT_EQ(l.running(), 0U);
  EXPECT_EQ(l.next(), at(700s));
  orders = l.step(at(700s), 0, "");
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(orders[0].kind, LifeOrder::Kind::kEnd);
  l.gone("a");
  EXPECT_EQ(l.size(), 0U);
}

TEST(Life, AReturnTakesItBackFromEachState) {
  Life l = life(1, 1);
  in_use(l, "a");
  l.leave("a", at(0s));
  EXPECT_TRUE(l.use("a"));
  l.leave("a", at(0s));
  l.step(at(60s), 0, "");
  EXPECT_FALSE(l.use("a"));  // being frozen
  l.froze("a", 1);
  EXPECT_FALSE(l.use("a"));
  ASSERT_TRUE(l.reserve());
  EXPECT_TRUE(l.thaw("a"));
  l.thawed("a");
  EXPECT_TRUE(l.use("a"));
  EXPECT_EQ(l.running(), 1U);
}

TEST(Life, TheOneLeftLongestAgoMakesRoomAndOneInUseNever) {
  Life l = life(3, 5);
  for (const char* id : {"a", "b", "c"}) in_use(l, id);
  l.leave("b", at(10s));
  l.leave("c", at(5s));
  EXPECT_FALSE(l.reserve());
  auto orders = l.step(at(20s), 1, "max_running");
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(orders[0].sandbox, "c");
  EXPECT_TRUE(orders[0].evicted);
  EXPECT_EQ(orders[0].reason, "max_running");
  EXPECT_TRUE(l.step(at(20s), 1, "max_running").empty());  // one is coming already
  orders = l.step(at(20s), 9, "max_running");
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(orders[0].sandbox, "b");  // "a" has a session
}

TEST(Life, AFullFreezerIsEmptiedFromTheLongestUnused) {
  Life l = life(3, 1);
  for (const char* id : {"a", "b"}) in_use(l, id);
  l.leave("a", at(0s));
  l.step(at(60s), 0, "");
  l.froze("a", 1);
  l.leave("b", at(61s));
  auto orders = l.step(at(200s), 0, "");
  ASSERT_EQ(orders.size(), 1U);  // first "a" has to go
  EXPECT_EQ(orders[0].sandbox, "a");
  EXPECT_EQ(orders[0].reason, "max_frozen");
  EXPECT_TRUE(l.step(at(200s), 0, "").empty());
  l.gone("a");
  orders = l.step(at(200s), 0, "");
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(orders[0].kind, LifeOrder::Kind::kFreeze);
  EXPECT_EQ(orders[0].sandbox, "b");
}

TEST(Life, WhoseCaseWaitsForItIsNotEvicted) {
  Life l = life(1, 1);
  in_use(l, "a");
  l.leave("a", at(0s));
  l.step(at(60s), 0, "");
  l.froze("a", 1);
  in_use(l, "b");
  l.leave("b", at(61s));
  l.want("a", true);
  const auto orders = l.step(at(62s), 1, "max_running");
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(orders[0].sandbox, "b");
  EXPECT_EQ(orders[0].kind, LifeOrder::Kind::kEnd);  // there is no place among the frozen
}

TEST(Life, FrozenMemoryIsBounded) {
  Life l = life(5, 5);
  for (const char* id : {"a", "b"}) in_use(l, id);
  l.leave("a", at(0s));
  l.leave("b", at(1s));
  l.step(at(100s), 0, "");
  l.froze("b", 600);
  l.froze("a", 600);
  const auto orders = l.step(at(100s), 0, "");
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(orders[0].sandbox, "a");
  EXPECT_EQ(orders[0].reason, "max_frozen_memory");
}

TEST(Life, NothingIsFrozenWhereNothingMayBe) {
  for (const auto& settings :
       {LifeSettings{60s, 0s, 2, 5, 1000}, LifeSettings{60s, 600s, 2, 0, 0}}) {
    Life l(settings);
    in_use(l, "a");
    l.leave("a", at(0s));
    const auto orders = l.step(at(60s), 0, "");
    ASSERT_EQ(orders.size(), 1U);
    EXPECT_EQ(orders[0].kind, LifeOrder::Kind::kEnd);
  }
}

// Random sessions, a slow and failing engine: the budgets hold at every step, nothing with a
// session is ordered away, and everything is let go in the end.
TEST(LifeProperty, BudgetsHoldAndWhatIsInUseIsLeftAlone) {
  EXPECT_TRUE(rc::check([] {
    const auto running = *rc::gen::inRange<std::size_t>(1, 5);
    const auto frozen = *rc::gen::inRange<std::size_t>(0, 4);
    Life l(LifeSettings{10s, 50s, running, frozen, 25});
    std::set<std::string> used;
    std::vector<LifeOrder> pending;
    auto now = at(0s);
    int next = 0;
    std::size_t waiting = 0;
    for (const int step : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 1000))) {
      now += std::chrono::seconds(step % 4);
      switch (step / 200) {
        case 0:
          if (l.reserve()) {
            const std::string id = std::to_string(next++);
            l.add(id, LifeState::kInUse, now);
            used.insert(id);
            waiting = 0;
          } else {
            waiting = 1;
          }
          break;
        case 1:
          if (used.empty()) break;
          l.leave(*used.begin(), now);
          used.erase(used.begin());
          break;
        case 2: {
          const std::string id = std::to_string(next == 0 ? 0 : step % next);
          if (l.use(id)) {
            used.insert(id);
          } else if (l.state(id) == LifeState::kFrozen && l.reserve()) {
            RC_ASSERT(l.thaw(id));
            l.thawed(id);
            used.insert(id);
          }
          break;
        }
        default:
          if (pending.empty()) break;
          const LifeOrder order = pending.front();
          pending.erase(pending.begin());
          if (order.kind == LifeOrder::Kind::kEnd) {
            l.gone(order.sandbox);
          } else if (step % 5 == 0) {  // the engine cannot
            l.end(order.sandbox);
            pending.push_back(
                {LifeOrder::Kind::kEnd, order.sandbox, LifeState::kObserved, "", false});
          } else {
            l.froze(order.sandbox, 10);
          }
      }
      for (LifeOrder& order : l.step(now, waiting, "max_running")) {
        RC_ASSERT(!used.contains(order.sandbox));
        pending.push_back(std::move(order));
      }
      RC_ASSERT(l.running() <= running);
      RC_ASSERT(l.frozen() <= frozen);
      for (const std::string& id : used) RC_ASSERT(l.state(id) == LifeState::kInUse);
    }
    for (const std::string& id : used) l.leave(id, now);
    for (int i = 0; i < 1000 && l.size() > 0; ++i) {
      now += 100s;
      for (LifeOrder& order : l.step(now, 0, "")) pending.push_back(std::move(order));
      for (const LifeOrder& order : std::exchange(pending, {})) {
        order.kind == LifeOrder::Kind::kEnd ? l.gone(order.sandbox) : l.froze(order.sandbox, 10);
      }
    }
    RC_ASSERT(l.size() == 0U);
  }));
}

}  // namespace
}  // namespace sandtrap::cases
