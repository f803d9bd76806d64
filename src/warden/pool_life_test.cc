// The pool's care for the sandboxes of cases, over FakeEngine: observed, frozen, thawed, preserved,
// restored; under budgets, with an engine that fails, and over restarts.
#include <gtest/gtest.h>

#include "warden/pool_rig_test.h"

namespace sandtrap::warden {
namespace {

using namespace std::chrono_literals;
using cases::LifeState;
namespace fs = std::filesystem;

TEST(PoolLife, AFrozenSandboxIsThawedForItsCase) {
  PoolRig rig(life_settings(0ms, 1h, 4, 4));
  const std::string id = rig.arrive("a");
  const SlotRef slot = rig.get(id, "s1");
  rig.sign(slot);
  rig.pool->release(id, "s1");
  ASSERT_TRUE(rig.until([&] { return rig.state(slot) == LifeState::kFrozen; }));
  EXPECT_EQ(rig.noted(id), cases::SandboxState::kFrozen);
  EXPECT_EQ(rig.pool->total(), 0U);
  const SlotRef again = rig.get(id, "s2");
  EXPECT_EQ(again, slot);
  EXPECT_EQ(rig.owner(again), id);
  EXPECT_EQ(rig.engine.counts().thaws, 1U);
  EXPECT_EQ(rig.noted(id), cases::SandboxState::kRunning);
}

TEST(PoolLife, APreservedSandboxComesBackWithItsDisk) {
  PoolRig rig(life_settings(0ms, 0ms, 4, 4));
  const std::string id = rig.arrive("a");
  const SlotRef first = rig.get(id, "s1");
  rig.sign(first);
  const std::string sandbox = first->id;
  rig.pool->release(id, "s1");
  ASSERT_TRUE(rig.until([&] { return rig.noted(id) == cases::SandboxState::kPreserved; }));
  const SlotRef again = rig.get(id, "s2");
  EXPECT_EQ(again->id, sandbox);
  EXPECT_EQ(rig.owner(again), id);
  EXPECT_EQ(again->sessions, (std::vector<std::string>{"s1", "s2"}));
  EXPECT_EQ(rig.engine.counts().restored, 1U);
}

TEST(PoolLife, WhoReturnsWhileItIsPutAwayWaitsForHisOwnDisk) {
  PoolRig rig(life_settings(0ms, 0ms, 4, 4));
  const std::string id = rig.arrive("a");
  const SlotRef first = rig.get(id, "s1");
  rig.sign(first);
  rig.pool->release(id, "s1");  // ordered away in this very moment
  const SlotRef again = rig.get(id, "s2");
  EXPECT_NE(again, first);
  EXPECT_EQ(rig.owner(again), id);
}

TEST(PoolLife, OneThatCannotBeRestoredIsReplacedAndItsDiskStays) {
  sandbox::FakeOptions options;
  options.restore_fails = [](unsigned) { return true; };
  PoolSettings s = life_settings(0ms, 0ms, 4, 4);
  s.restore_patience = 0ms;
  PoolRig rig(s, options);
  const std::string id = rig.arrive("a");
  rig.sign(rig.get(id, "s1"));
  rig.pool->release(id, "s1");
  ASSERT_TRUE(rig.until([&] { return rig.noted(id) == cases::SandboxState::kPreserved; }));
  const SlotRef again = rig.get(id, "s2");
  EXPECT_EQ(rig.owner(again), "");
  EXPECT_EQ(rig.disks().count(id), 1U);
}

TEST(PoolLife, AnEngineThatIsAwayDoesNotCostTheCaseItsMachine) {
  bool away = false;
  sandbox::FakeOptions options;
  options.restore_fails = options.preserve_fails = [&](unsigned) { return away; };
  PoolRig rig(life_settings(0ms, 0ms, 4, 4), options);
  const std::string id = rig.arrive("a");
  rig.sign(rig.get(id, "s1"));
  away = true;
  rig.pool->release(id, "s1");
  // Longer than any bound of attempts in a row.
  ASSERT_TRUE(rig.until([&] { return rig.engine.counts().preserves >= 20; }));
  away = false;
  ASSERT_TRUE(rig.until([&] { return rig.noted(id) == cases::SandboxState::kPreserved; }));
  away = true;
  const auto refused = rig.acquire(id, "s2");
  ASSERT_TRUE(rig.until([&] { return refused->arrived; }));
  EXPECT_FALSE(refused->slot);
  away = false;
  EXPECT_EQ(rig.owner(rig.get(id, "s3")), id);
}

TEST(PoolLife, AWarmOneGivesWayToACaseThatReturns) {
  PoolSettings s = life_settings(0ms, 0ms, 4, 4);
  s.size = s.max_total = 1;
  PoolRig rig(s);
  const std::string id = rig.arrive("a");
  rig.sign(rig.get(id, "s1"));
  rig.pool->release(id, "s1");
  ASSERT_TRUE(rig.until([&] { return rig.pool->warm() == 1; }));
  EXPECT_EQ(rig.owner(rig.get(id, "s2")), id);
}

TEST(PoolLife, OneThatIsObservedGivesWayToACaseThatReturns) {
  PoolSettings s = life_settings(0ms, 0ms, 4, 0);
  s.max_total = 1;
  PoolRig rig(s);
  const std::string a = rig.arrive("a"), b = rig.arrive("b");
  rig.sign(rig.get(a, "s1"));
  rig.pool->release(a, "s1");
  ASSERT_TRUE(rig.until([&] { return rig.noted(a) == cases::SandboxState::kPreserved; }));
  rig.settings.life.observe = 1h;
  rig.settings.max_total = 1;
  rig.pool->configure(rig.settings);
  rig.get(b, "s2");
  rig.pool->release(b, "s2");
  EXPECT_EQ(rig.owner(rig.get(a, "s3")), a);
}

TEST(PoolLife, TheOneLeftLongestAgoIsFrozenForANewcomer) {
  PoolRig rig(life_settings(1h, 1h, 2, 4));
  const std::string a = rig.arrive("a"), b = rig.arrive("b"), c = rig.arrive("c");
  const SlotRef one = rig.get(a, "s1"), two = rig.get(b, "s2");
  rig.pool->release(b, "s2");
  rig.pool->release(a, "s1");
  rig.get(c, "s3");
  EXPECT_EQ(rig.state(two), LifeState::kFrozen);
  EXPECT_EQ(rig.state(one), LifeState::kObserved);
}

TEST(PoolLife, OneWithASessionIsNeverTouched) {
  PoolRig rig(life_settings(1h, 1h, 1, 4));
  rig.settings.claim_timeout = 100ms;
  rig.pool->configure(rig.settings);
  const std::string a = rig.arrive("a"), b = rig.arrive("b");
  const SlotRef one = rig.get(a, "s1");
  const auto refused = rig.acquire(b, "s2");
  ASSERT_TRUE(rig.until([&] { return refused->arrived; }));
  EXPECT_FALSE(refused->slot);
  EXPECT_EQ(rig.state(one), LifeState::kInUse);
  EXPECT_TRUE(one->holders.contains("s1"));
}

TEST(PoolLife, FrozenAndObservedOnesAreFoundAgainAfterACrash) {
  PoolRig rig(life_settings(1h, 1h, 4, 4));
  const std::string a = rig.arrive("a"), b = rig.arrive("b");
  SlotRef one = rig.get(a, "s1"), two = rig.get(b, "s2");
  const std::string first = one->id, second = two->id;
  rig.sign(one);
  rig.sign(two);
  rig.pool->release(a, "s1");
  bool frozen = false;
  co_spawn(
      *rig.loop,
      [](SandboxPool* p, std::string id, bool* done) -> net::Task<void> {
        *done = (co_await p->freeze(std::move(id))).has_value();
      }(rig.pool.get(), a, &frozen),
      net::asio::detached);
  ASSERT_TRUE(rig.until([&] { return frozen; }));
  // The label is what outlives us.
  ASSERT_TRUE(rig.until([&] {
    return fs::exists(rig.root + "/state/" + first + "/label.json") &&
           fs::exists(rig.root + "/state/" + second + "/label.json");
  }));
  one.reset();  // its timer belongs to the loop that ends here
  two.reset();
  rig.restart();
  EXPECT_EQ(rig.pool->life().state(first), LifeState::kFrozen);
  EXPECT_EQ(rig.pool->life().state(second), LifeState::kObserved);
  EXPECT_EQ(rig.owner(rig.get(a, "s3")), a);
  EXPECT_EQ(rig.owner(rig.get(b, "s4")), b);
}

}  // namespace
}  // namespace sandtrap::warden
