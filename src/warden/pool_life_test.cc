// The pool's care for the sandboxes of cases, over FakeEngine: observed, frozen, thawed, preserved,
// restored; under budgets, with an engine that fails, and over restarts.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <map>

#include "sandbox/fake_engine.h"
#include "warden/pool.h"

namespace sandtrap::warden {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using cases::LifeState;

struct Answer {
  bool arrived = false;
  base::Result<SlotRef> slot = SlotRef();
};

class Rig {
 public:
  explicit Rig(PoolSettings wanted, sandbox::FakeOptions options = {})
      : settings(std::move(wanted)), engine(with_root(std::move(options)), log) {
    settings.backoff_first = 1ms;
    settings.backoff_most = 4ms;
    start({});
  }
  ~Rig() {
    pool.reset();
    std::error_code error;
    fs::remove_all(root, error);
  }

  // As after a kill -9 of the warden: the table is what the casebook would give back.
  void restart() {
    pool.reset();
    loop = std::make_unique<net::asio::io_context>();
    std::vector<sandbox::Leftover> found;
    bool done = false;
    co_spawn(
        *loop,
        [](sandbox::FakeEngine* e, std::vector<sandbox::Leftover>* out,
           bool* end) -> net::Task<void> {
          *out = co_await e->recover();
          *end = true;
        }(&engine, &found, &done),
        net::asio::detached);
    until([&] { return done; });
    start(std::move(found));
  }

  std::string arrive(const std::string& source) {
    return book.open({{cases::KeyKind::kSource, source}}, source, {}).id;
  }
  std::shared_ptr<Answer> acquire(const std::string& id, const std::string& session) {
    auto answer = std::make_shared<Answer>();
    co_spawn(
        *loop,
        [](SandboxPool* p, Claimant who, std::shared_ptr<Answer> to) -> net::Task<void> {
          to->slot = co_await p->acquire(std::move(who), nullptr);
          to->arrived = true;
        }(pool.get(), Claimant{id, "192.0.2.1", session, 1}, answer),
        net::asio::detached);
    return answer;
  }
  SlotRef get(const std::string& id, const std::string& session) {
    const auto answer = acquire(id, session);
    until([&] { return answer->arrived; });
    EXPECT_TRUE(answer->slot) << answer->slot.error().context;
    return answer->slot.value_or(nullptr);
  }
  template <class Predicate>
  bool until(Predicate done, std::chrono::milliseconds limit = 20s) {
    const auto end = Clock::now() + limit;
    while (!done() && Clock::now() < end) {
      loop->restart();
      loop->run_one_for(2ms);
    }
    return done();
  }
  std::optional<LifeState> state(const SlotRef& slot) const { return pool->life().state(slot->id); }
  cases::SandboxState noted(const std::string& id) const { return book.find(id)->sandbox.state; }

  // The disk of each case carries its name.
  void sign(const SlotRef& slot) const {
    std::ofstream(root + "/" + slot->id + "/owner") << slot->case_id;
  }
  std::string owner(const SlotRef& slot) const {
    std::ifstream file(root + "/" + slot->id + "/owner");
    std::string text;
    file >> text;
    return text;
  }
  std::multiset<std::string> disks() const {
    std::multiset<std::string> owners;
    std::error_code error;
    for (const std::string& folder : {root, root + "/preserved"}) {
      for (const auto& entry : fs::directory_iterator(folder, error)) {
        std::ifstream file(entry.path() / "owner");
        std::string text;
        if (file >> text) owners.insert(text);
      }
    }
    return owners;
  }

  std::unique_ptr<net::asio::io_context> loop = std::make_unique<net::asio::io_context>();
  base::Log log{"pool_test", static_cast<base::LogLevel>(4)};  // silent
  base::SystemEntropy entropy;
  event::EventLog events{"sensor"};
  std::string root;
  PoolSettings settings;
  sandbox::FakeEngine engine;
  cases::Table book{{}, entropy};
  std::unique_ptr<SandboxPool> pool;

 private:
  void start(std::vector<sandbox::Leftover> leftovers) {
    pool = std::make_unique<SandboxPool>(loop->get_executor(), engine, settings, book, events,
                                         entropy, log);
    pool->open(std::move(leftovers));
  }
  sandbox::FakeOptions with_root(sandbox::FakeOptions options) {
    char path[] = "/tmp/sandtrap-life-XXXXXX";
    root = ::mkdtemp(path);
    ::chmod(path, 0711);
    options.root = root;
    options.preserved = root + "/preserved";
    return options;
  }
};

PoolSettings settings(std::chrono::milliseconds observe, std::chrono::milliseconds keep,
                      std::size_t running, std::size_t frozen) {
  PoolSettings s;
  s.size = 0;
  s.max_total = 8;
  s.life = {observe, keep, running, frozen, 1U << 30};
  return s;
}

TEST(PoolLife, AFrozenSandboxIsThawedForItsCase) {
  Rig rig(settings(0ms, 1h, 4, 4));
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
  Rig rig(settings(0ms, 0ms, 4, 4));
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
  Rig rig(settings(0ms, 0ms, 4, 4));
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
  Rig rig(settings(0ms, 0ms, 4, 4), options);
  const std::string id = rig.arrive("a");
  rig.sign(rig.get(id, "s1"));
  rig.pool->release(id, "s1");
  ASSERT_TRUE(rig.until([&] { return rig.noted(id) == cases::SandboxState::kPreserved; }));
  const SlotRef again = rig.get(id, "s2");
  EXPECT_EQ(rig.owner(again), "");
  EXPECT_EQ(rig.disks().count(id), 1U);
}

TEST(PoolLife, TheOneLeftLongestAgoIsFrozenForANewcomer) {
  Rig rig(settings(1h, 1h, 2, 4));
  const std::string a = rig.arrive("a"), b = rig.arrive("b"), c = rig.arrive("c");
  const SlotRef one = rig.get(a, "s1"), two = rig.get(b, "s2");
  rig.pool->release(b, "s2");
  rig.pool->release(a, "s1");
  rig.get(c, "s3");
  EXPECT_EQ(rig.state(two), LifeState::kFrozen);
  EXPECT_EQ(rig.state(one), LifeState::kObserved);
}

TEST(PoolLife, OneWithASessionIsNeverTouched) {
  Rig rig(settings(1h, 1h, 1, 4));
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
  Rig rig(settings(1h, 1h, 4, 4));
  const std::string a = rig.arrive("a"), b = rig.arrive("b");
  const SlotRef one = rig.get(a, "s1"), two = rig.get(b, "s2");
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
    return fs::exists(rig.root + "/state/" + one->id + "/label.json") &&
           fs::exists(rig.root + "/state/" + two->id + "/label.json");
  }));
  rig.restart();
  EXPECT_EQ(rig.state(one), LifeState::kFrozen);
  EXPECT_EQ(rig.state(two), LifeState::kObserved);
  EXPECT_EQ(rig.owner(rig.get(a, "s3")), a);
  EXPECT_EQ(rig.owner(rig.get(b, "s4")), b);
}

// Random arrivals and departures of a few attackers, an engine that fails now and then, restarts:
// each case finds its own disk, no disk is lost, no sandbox has two cases, the budgets hold.
TEST(PoolLifeProperty, EveryCaseFindsItsOwnAndNothingIsLost) {
  EXPECT_TRUE(rc::check([] {
    const auto running = *rc::gen::inRange<std::size_t>(1, 4);
    const auto frozen = *rc::gen::inRange<std::size_t>(0, 3);
    const auto steps =
        *rc::gen::resize(25, rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 1000)));
    const auto bad = *rc::gen::inRange<unsigned>(2, 9);
    sandbox::FakeOptions options;
    const auto sometimes = [bad](unsigned n) { return n % bad == 0; };
    options.create_fails = options.freeze_fails = options.thaw_fails = sometimes;
    options.preserve_fails = sometimes;
    PoolSettings s = settings(std::chrono::milliseconds(*rc::gen::inRange(0, 3)),
                              std::chrono::milliseconds(*rc::gen::inRange(0, 8)), running, frozen);
    s.claim_timeout = 300ms;
    Rig rig(s, options);
    std::map<std::string, SlotRef> held;  // session -> what it has
    std::map<std::string, std::string> case_of;
    std::set<std::string> owners;
    const auto check = [&] {
      RC_ASSERT(rig.pool->life().running() <= running);
      RC_ASSERT(rig.pool->life().frozen() <= frozen);
      RC_ASSERT(rig.pool->total() <= s.max_total);
      for (const auto& [session, slot] : held) RC_ASSERT(slot->case_id == case_of[session]);
    };
    int number = 0;
    for (const int step : steps) {
      const std::string source = std::to_string(step % 6);
      if (step < 500 && (held.size() < running || step % 9 == 0)) {
        const std::string session = "s" + std::to_string(number++);
        const std::string id = rig.arrive(source);
        const auto answer = rig.acquire(id, session);
        rig.until([&] { return answer->arrived; });  // all places may be in use: then it is refused
        if (answer->arrived && answer->slot) {
          const SlotRef slot = *answer->slot;
          const std::string owner = rig.owner(slot);
          RC_ASSERT((owner.empty() ? !owners.contains(id) : owner == id));
          rig.sign(slot);
          owners.insert(id);
          held[session] = slot;
          case_of[session] = id;
        }
      } else if (step < 900 && !held.empty()) {
        const auto it = std::next(held.begin(), step % static_cast<int>(held.size()));
        rig.pool->release(case_of[it->first], it->first);
        held.erase(it);
      } else if (step >= 970) {
        held.clear();
        rig.restart();
      }
      rig.until([] { return false; }, 2ms);
      check();
    }
    for (const auto& [session, slot] : held) rig.pool->release(case_of[session], session);
    bool drained = false, empty = false;
    co_spawn(
        *rig.loop,
        [](SandboxPool* p, bool* nothing, bool* done) -> net::Task<void> {
          *nothing = co_await p->drain(Clock::now() + 20s);
          *done = true;
        }(rig.pool.get(), &empty, &drained),
        net::asio::detached);
    rig.until([&] { return drained; });
    RC_ASSERT(empty);
    const auto disks = rig.disks();
    for (const std::string& id : owners) RC_ASSERT(disks.count(id) == 1U);
  }));
}

}  // namespace
}  // namespace sandtrap::warden
