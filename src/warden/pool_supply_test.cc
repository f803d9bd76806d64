// The pool's supply: it follows demand, replaces what is stale, shares out images, and outlives an
// engine that fails.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>

#include "sandbox/fake_engine.h"
#include "warden/pool.h"

namespace sandtrap::warden {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

struct Answer {
  bool arrived = false;
  base::Result<SlotRef> slot = SlotRef();
};

class Rig {  // a pool over FakeEngine, on a loop of its own
 public:
  explicit Rig(PoolSettings settings, sandbox::FakeOptions options = {})
      : engine(with_root(std::move(options)), log),
        pool(loop.get_executor(), engine, std::move(settings), book, events, entropy, log) {
    co_spawn(
        loop, [](Rig* self) -> net::Task<void> { (void)co_await self->engine.prepare(); }(this),
        net::asio::detached);
    pool.open({});
  }
  ~Rig() {
    bool ended = false;
    co_spawn(
        loop,
        [](SandboxPool* p, bool* done) -> net::Task<void> {
          co_await p->drain(Clock::now() + 20s);
          *done = true;
        }(&pool, &ended),
        net::asio::detached);
    until([&] { return ended; });
    std::error_code error;
    std::filesystem::remove_all(root, error);
  }

  std::shared_ptr<Answer> acquire(const std::string& case_id, const std::string& user = "root") {
    auto answer = std::make_shared<Answer>();
    const Claimant who{case_id, "192.0.2.1", "session of " + case_id, 1, user};
    co_spawn(loop, wait_for(&pool, who, answer), net::asio::detached);
    return answer;
  }

  template <class Predicate>
  bool until(Predicate done, std::chrono::milliseconds limit = 20s) {
    const auto end = Clock::now() + limit;
    while (!done() && Clock::now() < end) {
      loop.restart();
      loop.run_one_for(50ms);
    }
    return done();
  }
  event::PoolStatus status() const { return pool.status(base::monotonic_now()); }

  net::asio::io_context loop;
  base::Log log{"pool_test", base::LogLevel::kError};
  base::SystemEntropy entropy;
  cases::Table book{{}, entropy};
  event::EventLog events{"sensor"};
  std::string root;
  sandbox::FakeEngine engine;
  SandboxPool pool;

 private:
  static net::Task<void> wait_for(SandboxPool* pool, Claimant who, std::shared_ptr<Answer> answer) {
    answer->slot = co_await pool->acquire(std::move(who), nullptr);
    answer->arrived = true;
  }
  sandbox::FakeOptions with_root(sandbox::FakeOptions options) {
    char path[] = "/tmp/sandtrap-pool-XXXXXX";
    root = ::mkdtemp(path);
    options.root = root;
    options.preserved = root + "/preserved";
    return options;
  }
};

PoolSettings settings_of(std::uint32_t size, std::uint32_t size_max) {
  PoolSettings s;
  s.size = size;
  s.size_max = size_max;
  s.max_total = 100;
  s.backoff_first = 1ms;
  s.backoff_most = 8ms;
  s.upkeep = 5ms;
  s.preserve = false;
  return s;
}

TEST(PoolSupply, KeepsMoreWarmWhileManyComeAndFewerWhenToldTo) {
  sandbox::FakeOptions slow;
  slow.create_delay = 300ms;
  Rig rig(settings_of(1, 6), slow);
  ASSERT_TRUE(rig.until([&] { return rig.pool.warm() == 1; }));
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 40; ++i) answers.push_back(rig.acquire("c" + std::to_string(i)));
  ASSERT_TRUE(rig.until([&] {
    return rig.pool.warm() >= 3 &&
           std::all_of(answers.begin(), answers.end(), [](const auto& a) { return a->arrived; });
  }));
  EXPECT_LE(rig.status().target, 6U);
  EXPECT_EQ(rig.status().claimed, 40U);
  rig.pool.configure(settings_of(1, 1));
  EXPECT_EQ(rig.pool.warm(), 1U);
}

TEST(PoolSupply, StaleOnesAreReplacedAndNeverMissed) {
  PoolSettings s = settings_of(2, 2);
  s.warm_max_age = 100ms;
  Rig rig(s);
  ASSERT_TRUE(rig.until([&] { return rig.pool.warm() == 2; }));
  std::size_t least = 2;
  ASSERT_TRUE(rig.until([&] {
    least = std::min(least, rig.pool.warm());
    return rig.status().recycled >= 6;
  }));
  EXPECT_EQ(least, 2U);
}

TEST(PoolSupply, WithoutRoomForAReplacementAStaleOneGoesFirst) {
  PoolSettings s = settings_of(1, 1);
  s.max_total = 1;
  s.warm_max_age = 50ms;
  Rig rig(s);
  EXPECT_TRUE(rig.until([&] { return rig.status().recycled >= 2 && rig.pool.warm() == 1; }));
}

PoolSettings with_images() {
  PoolSettings s = settings_of(4, 4);
  s.images = {{"db", "/images/db", 1, {"postgres"}, {}, {}}, {"web", "/images/web", 3, {}, {}, {}}};
  return s;
}

std::size_t warm_of(const Rig& rig, const std::string& text) {
  const auto images = rig.status().images;
  return static_cast<std::size_t>(std::count(images.begin(), images.end(), text));
}

TEST(PoolSupply, ImagesAreSharedOutByWeightAndChosenByRule) {
  Rig rig(with_images());
  ASSERT_TRUE(rig.until([&] { return rig.pool.warm() == 4; }));
  EXPECT_EQ(warm_of(rig, "db: 1 of 1") + warm_of(rig, "web: 3 of 3"), 2U);
  const auto one = rig.acquire("c1", "postgres"), two = rig.acquire("c2");
  ASSERT_TRUE(rig.until([&] { return one->arrived && two->arrived; }));
  EXPECT_EQ((*one->slot)->image_reference, "/images/db");
  EXPECT_EQ((*two->slot)->image_reference, "/images/web");
  // More of one kind than are warm: they wait for theirs, others do not.
  std::vector<std::shared_ptr<Answer>> more;
  for (int i = 0; i < 4; ++i) more.push_back(rig.acquire("d" + std::to_string(i), "postgres"));
  ASSERT_TRUE(rig.until([&] {
    return std::all_of(more.begin(), more.end(), [](const auto& a) { return a->arrived; });
  }));
  for (const auto& answer : more) EXPECT_EQ((*answer->slot)->image_name, "db");
}

TEST(PoolSupply, AnImageThatCannotStartDoesNotHoldUpTheOthers) {
  PoolSettings s = with_images();
  s.claim_timeout = 100ms;
  sandbox::FakeOptions options;
  options.missing_image = "/images/db";
  Rig rig(s, options);
  ASSERT_TRUE(rig.until([&] { return rig.status().failed >= 3 && rig.pool.warm() >= 2; }));
  EXPECT_TRUE(rig.status().failing);
  const auto refused = rig.acquire("c1", "postgres"), served = rig.acquire("c2");
  ASSERT_TRUE(rig.until([&] { return refused->arrived && served->arrived; }));
  EXPECT_FALSE(refused->slot);
  EXPECT_TRUE(served->slot);
  EXPECT_EQ(rig.status().refused, 1U);
}

TEST(PoolSupply, OtherImagesReplaceTheWarmOnes) {
  Rig rig(settings_of(2, 2));
  ASSERT_TRUE(rig.until([&] { return rig.pool.warm() == 2; }));
  PoolSettings s = settings_of(2, 2);
  s.images = {{"web", "/images/web", 1, {}, {}, {}}};
  rig.pool.configure(s);
  ASSERT_TRUE(rig.until([&] { return warm_of(rig, "web: 2 of 2") == 1 && rig.pool.total() == 2; }));
}

TEST(PoolSupply, AnEngineThatIsGoneForAWhileIsTriedUntilItIsBack) {
  bool gone = false;
  sandbox::FakeOptions options;
  options.create_fails = [&](unsigned) { return gone; };
  PoolSettings s = settings_of(1, 1);
  s.claim_timeout = 100ms;
  Rig rig(s, options);
  ASSERT_TRUE(rig.until([&] { return rig.pool.warm() == 1; }));
  gone = true;
  const auto last = rig.acquire("c1"), refused = rig.acquire("c2");
  ASSERT_TRUE(rig.until([&] { return last->arrived && refused->arrived; }));
  EXPECT_TRUE(last->slot);
  EXPECT_FALSE(refused->slot);
  EXPECT_TRUE(rig.status().failing);
  gone = false;
  ASSERT_TRUE(rig.until([&] { return rig.pool.warm() == 1; }));
  EXPECT_FALSE(rig.status().failing);
  const auto again = rig.acquire("c2");
  ASSERT_TRUE(rig.until([&] { return again->arrived; }));
  EXPECT_TRUE(again->slot);
}

}  // namespace
}  // namespace sandtrap::warden
