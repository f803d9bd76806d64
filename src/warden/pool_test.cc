#include "warden/pool.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

#include "warden/pool_bench_test.h"

namespace sandtrap::warden {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

using Bench = PoolBench;

PoolSettings small(std::uint32_t size, std::uint32_t total) {
  PoolSettings s;
  s.size = size;
  s.max_total = total;
  s.life.observe = 60s;
  s.life.keep = 0s;
  s.life.max_running = std::max(total, 50U);
  s.backoff_first = 1ms;
  s.backoff_most = 8ms;
  return s;
}

TEST(Pool, KeepsItsSizeWarmWithinTheBoundOfParallelStarts) {
  PoolSettings s = small(6, 10);
  s.refill_concurrency = 3;
  sandbox::FakeOptions slow;
  slow.create_delay = 2ms;
  Bench b(s, slow);
  bool ready = false;
  b.pool.on_ready([&] { ready = true; });
  b.open();
  ASSERT_TRUE(b.until([&] { return b.pool.warm() == 6; }));
  EXPECT_TRUE(ready);
  EXPECT_EQ(b.engine.counts().creating_most, 3U);
  EXPECT_EQ(b.engine.counts().verifies, 6U);
  EXPECT_TRUE(b.drain());
  EXPECT_EQ(b.directories(), 0U);
}

TEST(Pool, TwoHundredConcurrentClaimsNeverShareASandbox) {
  PoolSettings s = small(20, 200);
  s.claim_queue = 200;
  s.refill_concurrency = 8;
  s.preserve = false;
  Bench b(s);
  b.open();
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 200; ++i) {
    answers.push_back(b.acquire("case" + std::to_string(i), "session" + std::to_string(i)));
  }
  ASSERT_TRUE(b.until([&] {
    return std::all_of(answers.begin(), answers.end(), [](const auto& a) { return a->arrived; });
  }));
  std::set<std::string> ids;
  for (const auto& a : answers) {
    ASSERT_TRUE(a->slot) << a->slot.error().context;
    EXPECT_TRUE(ids.insert((*a->slot)->id).second);
    EXPECT_EQ((*a->slot)->holders.size(), 1U);
  }
  EXPECT_EQ(ids.size(), 200U);
  EXPECT_LE(b.pool.total(), 200U);
  EXPECT_TRUE(b.drain());
  EXPECT_EQ(b.directories(), 0U);
}

TEST(Pool, SessionsOfOneCaseShareOneClaim) {
  Bench b(small(2, 5));
  b.open();
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 10; ++i) answers.push_back(b.acquire("one", "s" + std::to_string(i)));
  ASSERT_TRUE(b.until([&] {
    return std::all_of(answers.begin(), answers.end(), [](const auto& a) { return a->arrived; });
  }));
  for (const auto& a : answers) EXPECT_EQ((*a->slot)->id, (*answers[0]->slot)->id);
  EXPECT_EQ((*answers[0]->slot)->holders.size(), 10U);
  EXPECT_TRUE(b.drain());
  EXPECT_EQ(b.engine.counts().preserved, 1U);
}

TEST(Pool, AReturnWithinLingerFindsTheSameSandboxAndALaterOneDoesNot) {
  PoolSettings s = small(1, 5);
  s.life.observe = 200ms;
  Bench b(s);
  b.open();
  const auto first = b.acquire("c", "s1");
  ASSERT_TRUE(b.until([&] { return first->arrived; }));
  const std::string id = (*first->slot)->id;
  first->slot = SlotRef();
  b.pool.release("c", "s1");
  const auto second = b.acquire("c", "s2");
  ASSERT_TRUE(b.until([&] { return second->arrived; }));
  EXPECT_EQ((*second->slot)->id, id);
  b.pool.release("c", "s2");
  ASSERT_TRUE(b.until([&] { return b.engine.counts().preserved == 1; }));
  const auto third = b.acquire("c", "s3");
  ASSERT_TRUE(b.until([&] { return third->arrived; }));
  EXPECT_NE((*third->slot)->id, id);
  EXPECT_TRUE(b.drain());
}

TEST(Pool, AWaiterIsRefusedAtItsDeadlineAndWhenTheQueueIsFull) {
  PoolSettings s = small(0, 1);
  s.claim_queue = 1;
  s.claim_timeout = 50ms;
  Bench b(s);
  b.open();
  const auto has = b.acquire("a", "a");
  ASSERT_TRUE(b.until([&] { return has->arrived; }));
  const auto waits = b.acquire("b", "b");
  const auto too_many = b.acquire("c", "c");
  ASSERT_TRUE(b.until([&] { return waits->arrived && too_many->arrived; }));
  EXPECT_EQ(waits->slot.error().code, base::Errc::kTimeout);
  EXPECT_EQ(too_many->slot.error().code, base::Errc::kLimit);
  EXPECT_EQ(b.pool.waiting(), 0U);
  EXPECT_TRUE(b.drain());
}

TEST(Pool, AtTheMaximumALingeringSandboxMakesRoom) {
  Bench b(small(0, 1));
  b.open();
  const auto a = b.acquire("a", "a");
  ASSERT_TRUE(b.until([&] { return a->arrived; }));
  b.pool.release("a", "a");
  const auto next = b.acquire("b", "b");
  ASSERT_TRUE(b.until([&] { return next->arrived; }));
  EXPECT_TRUE(next->slot);
  EXPECT_TRUE(b.drain());
}

TEST(Pool, ASandboxForSomeoneWhoLeftGoesToTheNext) {
  PoolSettings s = small(0, 1);
  sandbox::FakeOptions slow;
  slow.create_delay = 20ms;
  Bench b(s, slow);
  b.open();
  auto interest = std::make_shared<Interest>();
  const auto gone = b.acquire("a", "a", interest);
  const auto stays = b.acquire("b", "b");
  ASSERT_TRUE(b.until([&] { return b.pool.waiting() == 2; }));
  interest->lost = true;
  ASSERT_TRUE(b.until([&] { return gone->arrived && stays->arrived; }));
  EXPECT_FALSE(gone->slot);
  EXPECT_TRUE(stays->slot);
  EXPECT_EQ(b.engine.counts().created, 1U);
  EXPECT_TRUE(b.drain());
}

TEST(Pool, EngineFailuresAreRetriedWithPausesAndLogged) {
  sandbox::FakeOptions failing;
  failing.create_fails = [](unsigned n) { return n <= 3; };
  failing.verify_fails = [](unsigned n) { return n == 1; };
  Bench b(small(2, 5), failing);
  b.open();
  ASSERT_TRUE(b.until([&] { return b.pool.warm() == 2; }));
  EXPECT_EQ(b.engine.counts().destroyed, 1U);  // the one that failed its verification
  EXPECT_GE(b.engine.counts().creates, 6U);
  EXPECT_LT(b.engine.counts().creates, 12U);
  EXPECT_GT(b.events.queued(), 0U);
  EXPECT_TRUE(b.drain());
  EXPECT_EQ(b.directories(), 0U);
}

TEST(Pool, AStartThatIsTooSlowIsDestroyedWhenItArrives) {
  PoolSettings s = small(1, 3);
  s.start_timeout = 20ms;
  unsigned calls = 0;
  sandbox::FakeOptions slow;
  slow.create_delay = 60ms;
  slow.create_fails = [&](unsigned) { return ++calls > 3; };
  Bench b(s, slow);
  b.open();
  ASSERT_TRUE(b.until([&] { return b.engine.counts().destroyed >= 2; }));
  EXPECT_EQ(b.pool.warm(), 0U);
  EXPECT_LE(b.pool.total(), 3U);
  EXPECT_TRUE(b.drain());
}

TEST(Pool, AWarmSandboxThatDiedIsReplaced) {
  PoolSettings s = small(1, 3);
  s.recheck = 10ms;
  sandbox::FakeOptions dying;
  dying.verify_fails = [](unsigned n) { return n == 2; };
  Bench b(s, dying);
  b.open();
  ASSERT_TRUE(b.until([&] { return b.engine.counts().destroyed == 1 && b.pool.warm() == 1; }));
  EXPECT_EQ(b.engine.counts().created, 2U);
  EXPECT_TRUE(b.drain());
}

TEST(Pool, ALostSandboxLeavesItsCase) {
  Bench b(small(1, 3));
  b.open();
  const auto first = b.acquire("c", "s");
  ASSERT_TRUE(b.until([&] { return first->arrived; }));
  b.pool.lost(*first->slot);
  const auto second = b.acquire("c", "s");
  ASSERT_TRUE(b.until([&] { return second->arrived; }));
  EXPECT_NE((*second->slot)->id, (*first->slot)->id);
  EXPECT_TRUE(b.drain());
}

TEST(Pool, AnAdoptedSandboxBelongsToItsCaseAgain) {
  Bench b(small(1, 3));
  b.open();
  const auto first = b.acquire("c", "s");
  ASSERT_TRUE(b.until([&] { return first->arrived && !(*first->slot)->labelling; }));
  const std::string id = (*first->slot)->id;

  // A second warden over the same engine state, as after a crash of the first.
  SandboxPool again(b.loop.get_executor(), b.engine, small(0, 3), b.book, b.events, b.entropy,
                    b.log);
  std::vector<sandbox::Leftover> left;
  bool recovered = false;
  co_spawn(
      b.loop,
      [](Bench* self, std::vector<sandbox::Leftover>* out, bool* done) -> net::Task<void> {
        *out = co_await self->engine.recover();
        *done = true;
      }(&b, &left, &recovered),
      net::asio::detached);
  ASSERT_TRUE(b.until([&] { return recovered; }));
  ASSERT_EQ(left.size(), 1U);
  again.open(std::move(left));
  EXPECT_EQ(again.total(), 1U);
  EXPECT_TRUE(again.resume(Claimant{"c", "192.0.2.1", "s", 1}));
  EXPECT_FALSE(again.resume(Claimant{"other", "192.0.2.1", "t", 1}));
  bool drained = false;
  co_spawn(
      b.loop,
      [](SandboxPool* p, bool* done) -> net::Task<void> {
        *done = co_await p->drain(Clock::now() + 10s);
      }(&again, &drained),
      net::asio::detached);
  ASSERT_TRUE(b.until([&] { return drained; }));
  EXPECT_TRUE(std::filesystem::exists(b.root + "/preserved/" + id + "/sandbox.json"));
}

// Random arrivals, departures and engine failures; after each step: no sandbox with two cases, no
// case with two sandboxes, never more than max_total; at the end nothing is left.
TEST(Pool, NoHistoryBreaksItsInvariants) {
  EXPECT_TRUE(rc::check([] {
    PoolSettings s = small(*rc::gen::inRange(0U, 4U), *rc::gen::inRange(4U, 8U));
    s.life.observe = std::chrono::milliseconds(*rc::gen::inRange(0, 4));
    s.claim_timeout = std::chrono::milliseconds(*rc::gen::inRange(1, 40));
    s.claim_queue = *rc::gen::inRange(1U, 6U);
    s.preserve = *rc::gen::arbitrary<bool>();
    const unsigned modulus = *rc::gen::inRange(2U, 9U);
    sandbox::FakeOptions failing;
    failing.create_fails = [modulus](unsigned n) { return n % modulus == 0; };
    Bench b(s, failing);
    b.open();
    struct Guest {
      std::string case_id, session;
      std::shared_ptr<Interest> interest;
      std::shared_ptr<Answer> answer;
    };
    std::vector<Guest> guests;
    const auto steps = *rc::gen::container<std::vector<unsigned>>(rc::gen::inRange(0U, 100U));
    unsigned number = 0;
    for (const unsigned step : steps) {
      if (step < 50) {
        Guest g{"case" + std::to_string(step % 10), "s" + std::to_string(number++),
                std::make_shared<Interest>(), nullptr};
        g.answer = b.acquire(g.case_id, g.session, g.interest);
        guests.push_back(std::move(g));
      } else if (step < 80 && !guests.empty()) {
        const std::size_t i = step % guests.size();
        guests[i].interest->lost = true;
        b.pool.release(guests[i].case_id, guests[i].session);
        if (guests[i].answer->arrived) {
          guests.erase(guests.begin() + static_cast<std::ptrdiff_t>(i));
        }
      } else {
        b.loop.restart();
        b.loop.run_for(1ms);
      }
      std::map<std::string, std::string> owner, box;
      for (const Guest& g : guests) {
        if (!g.answer->arrived || !g.answer->slot || g.interest->lost) continue;
        const Slot& slot = **g.answer->slot;
        RC_ASSERT(slot.case_id == g.case_id);
        RC_ASSERT(slot.holders.contains(g.session));
        RC_ASSERT(owner.emplace(slot.id, g.case_id).first->second == g.case_id);
        RC_ASSERT(box.emplace(g.case_id, slot.id).first->second == slot.id);
      }
      RC_ASSERT(b.pool.total() <= s.max_total);
      RC_ASSERT(b.pool.waiting() <= s.claim_queue);
    }
    RC_ASSERT(b.drain());
    RC_ASSERT(b.pool.total() == 0U);
    RC_ASSERT(b.directories() == 0U);
  }));
}

}  // namespace
}  // namespace sandtrap::warden
