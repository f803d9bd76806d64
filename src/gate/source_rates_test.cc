#include "gate/source_rates.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace sandtrap::gate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr base::Instant kStart{std::chrono::hours(1)};

TEST(SourceRates, ABurstAndThenTheRate) {
  struct Row {
    milliseconds at;
    bool admitted;
  };
  // 30 a minute: a token every two seconds; four at once.
  const Row rows[] = {
      {milliseconds(0), true},       {milliseconds(0), true},       {milliseconds(0), true},
      {milliseconds(0), true},       {milliseconds(0), false},      {milliseconds(1999), false},
      {milliseconds(2000), true},    {milliseconds(2000), false},   {milliseconds(6000), true},
      {milliseconds(6000), true},    {milliseconds(6000), false},   {milliseconds(600'000), true},
      {milliseconds(600'000), true}, {milliseconds(600'000), true}, {milliseconds(600'000), true},
      {milliseconds(600'000), false}};
  SourceRates rates;
  rates.configure(30, 4);
  int number = 0;
  for (const Row& row : rows) {
    EXPECT_EQ(rates.take("a", kStart + row.at), row.admitted) << number;
    ++number;
  }
}

TEST(SourceRates, NoneIsNoLimitAndForgetsWhatWas) {
  SourceRates rates;
  rates.configure(1, 1);
  EXPECT_TRUE(rates.take("a", kStart));
  EXPECT_FALSE(rates.take("a", kStart));
  rates.configure(0, 1);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(rates.take("a", kStart));
  EXPECT_EQ(rates.sources(), 0U);
}

TEST(SourceRates, TheTableIsBoundedAndForgetsTheOneUsedLongestAgo) {
  SourceRates rates(3);
  rates.configure(1, 1);
  for (const char* source : {"a", "b", "c", "d"}) EXPECT_TRUE(rates.take(source, kStart)) << source;
  EXPECT_EQ(rates.sources(), 3U);
  EXPECT_FALSE(rates.take("b", kStart));
  EXPECT_TRUE(rates.take("a", kStart));  // forgotten; now b is, too
  EXPECT_FALSE(rates.take("d", kStart));
  EXPECT_TRUE(rates.take("e", kStart + seconds(61)));
  EXPECT_EQ(rates.sources(), 1U);  // the others are full again
}

RC_GTEST_PROP(SourceRates, NeverAdmitsMoreThanBurstAndRate, ()) {
  const auto per_minute = *rc::gen::inRange(1, 600), burst = *rc::gen::inRange(1, 50);
  SourceRates rates;
  rates.configure(static_cast<std::uint32_t>(per_minute), static_cast<std::uint32_t>(burst));
  const auto steps = *rc::gen::container<std::vector<int>>(200, rc::gen::inRange(0, 2000));
  base::Instant now = kStart;
  std::int64_t admitted = 0;
  for (const int step : steps) {
    now += milliseconds(step);
    admitted += rates.take("a", now) ? 1 : 0;
  }
  const auto passed = std::chrono::duration_cast<milliseconds>(now - kStart).count();
  RC_ASSERT(admitted <= burst + passed * per_minute / 60'000 + 1);
  RC_ASSERT(admitted >= std::min<std::int64_t>(burst, 200));
}

TEST(RefusalLog, TheFirstAtOnceTheRestAsOneLine) {
  RefusalLog log;
  EXPECT_TRUE(log.note("a", {"192.0.2.1", 1, "source_rate"}, kStart));
  for (std::uint16_t port = 2; port <= 9; ++port) {
    EXPECT_FALSE(log.note("a", {"192.0.2.1", port, "source_rate"}, kStart + seconds(1)));
  }
  EXPECT_TRUE(log.note("b", {"192.0.2.2", 1, "max_startups"}, kStart + seconds(2)));
  EXPECT_TRUE(log.due(kStart + seconds(9)).empty());
  EXPECT_EQ(log.next_due(), kStart + RefusalLog::kWindow);
  const auto lines = log.due(kStart + seconds(12));
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].ip, "192.0.2.1");
  EXPECT_EQ(lines[0].port, 9);
  EXPECT_EQ(lines[0].count, 8U);
  EXPECT_FALSE(log.note("a", {"192.0.2.1", 10, "source_rate"}, kStart + seconds(13)));
  EXPECT_TRUE(log.note("b", {"192.0.2.2", 2, "max_startups"}, kStart + seconds(13)));  // anew
  const auto rest = log.rest();
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest[0].count, 1U);
  EXPECT_FALSE(log.next_due());
}

TEST(RefusalLog, AFloodFromEverywhereIsBoundedAndCounted) {
  RefusalLog log(10);
  std::uint64_t logged = 0;
  for (int i = 0; i < 1000; ++i) {
    logged += log.note(std::to_string(i), {std::to_string(i), 1, "max_startups"}, kStart) ? 1 : 0;
  }
  EXPECT_EQ(logged, 11U);
  const auto lines = log.due(kStart + RefusalLog::kWindow);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].ip, "");
  EXPECT_EQ(lines[0].count, 989U);
}

}  // namespace
}  // namespace sandtrap::gate
