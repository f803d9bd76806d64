// The pool's supply: it follows demand, replaces what is stale, shares out images, and outlives an
// engine that fails.
#include <gtest/gtest.h>

#include "warden/pool_bench_test.h"

namespace sandtrap::warden {
namespace {

using namespace std::chrono_literals;

class Rig : public PoolBench {  // open from the start, drained at the end
 public:
  explicit Rig(PoolSettings settings, sandbox::FakeOptions options = {})
      : PoolBench(std::move(settings), std::move(options)) {
    open();
  }
  ~Rig() { drain(); }

  std::shared_ptr<Answer> acquire(const std::string& case_id, const std::string& user = "root") {
    return PoolBench::acquire(case_id, "session of " + case_id, nullptr, user);
  }
  event::PoolStatus status() const { return pool.status(base::monotonic_now()); }
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

TEST(PoolSupply, ANewIntervalOfChecksCountsAtOnce) {
  PoolSettings s = settings_of(1, 1);
  sandbox::FakeOptions dying;
  dying.verify_fails = [](unsigned n) { return n == 2; };
  Rig rig(s, dying);
  ASSERT_TRUE(rig.until([&] { return rig.pool.warm() == 1; }));
  s.recheck = 10ms;  // it was 30 s
  rig.pool.configure(s);
  ASSERT_TRUE(rig.until([&] { return rig.engine.counts().destroyed == 1; }));
}

TEST(PoolSettings, TakePatienceFromTheConfiguration) {
  config::Settings settings;
  settings.container_pool.recheck_interval = 7s;
  settings.container_pool.backoff_first = 300ms;
  settings.container_pool.backoff_most = 9s;
  settings.cases.account_timeout = 4s;
  settings.cases.restore_timeout = 50s;
  const PoolSettings pool = pool_settings(settings);
  EXPECT_EQ(pool.recheck, 7s);
  EXPECT_EQ(pool.backoff_first, 300ms);
  EXPECT_EQ(pool.backoff_most, 9s);
  EXPECT_EQ(pool.account_timeout, 4s);
  EXPECT_EQ(pool.restore_patience, 50s);
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
