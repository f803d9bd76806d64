#include "ssh/auth_delay.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>
#include <utility>

namespace sandtrap::ssh {
namespace {

using namespace std::chrono_literals;
using base::Duration;

class FixedEntropy final : public base::Entropy {
 public:
  explicit FixedEntropy(std::uint8_t value) : value_(value) {}
  void fill(base::MutableByteView out) override {
    for (std::uint8_t& b : out) b = value_;
  }

 private:
  std::uint8_t value_;
};

TEST(AuthDelay, BaseIsHashOfDecimalSecretAndUser) {
  // printf 12345root | sha512sum: first 4 bytes 1eadf2a3.
  const Duration delay = base_failure_delay(12345, "root");
  const Duration expected = 5ms + Duration(0x1eadf2a3 / 1000);
  EXPECT_EQ(delay, expected);
}

TEST(AuthDelay, BaseStaysInOpenSshsRangeAndIsStable) {
  EXPECT_TRUE(rc::check([](std::uint64_t secret, const std::string& user) {
    const Duration delay = base_failure_delay(secret, user);
    RC_ASSERT(delay >= 5ms);
    RC_ASSERT(delay < 9295us);
    RC_ASSERT(delay == base_failure_delay(secret, user));
  }));
}

TEST(AuthDelay, PaddingIsSmallestDoublingNotBelowTheWork) {
  EXPECT_EQ(padded_failure_delay(7240us, 0ms), 7240us);
  EXPECT_EQ(padded_failure_delay(7240us, 7240us), 7240us);
  EXPECT_EQ(padded_failure_delay(7240us, 7241us), 14480us);
  EXPECT_EQ(padded_failure_delay(7240us, 1500ms), 7240us * 256);
  EXPECT_EQ(padded_failure_delay(7240us, 1900ms), 7240us * 512);
}

TEST(AuthDelay, PaddingIsBaseTimesPowerOfTwo) {
  EXPECT_TRUE(rc::check([] {
    const Duration b(*rc::gen::inRange<std::int64_t>(5'000'000, 9'300'000));
    const Duration work(*rc::gen::inRange<std::int64_t>(0, 10'000'000'000));
    const Duration padded = padded_failure_delay(b, work);
    RC_ASSERT(padded >= work);
    RC_ASSERT(padded == b || padded / 2 < work);
    RC_ASSERT(padded.count() % b.count() == 0);
    const auto factor = static_cast<std::uint64_t>(padded / b);
    RC_ASSERT((factor & (factor - 1)) == 0);
  }));
}

TEST(AuthDelay, PaddingEndsForAnyInput) {
  EXPECT_EQ(padded_failure_delay(0ms, 5ms), 5ms);
  EXPECT_GE(padded_failure_delay(5ms, Duration::max()), 24h);
}

TEST(AuthDelay, RandomDelayCoversTheRangeAndNoMore) {
  FixedEntropy low(0), middle(0x80), high(0xff);
  EXPECT_EQ(random_delay(1500ms, 2500ms, low), 1500ms);
  EXPECT_EQ(random_delay(1500ms, 2500ms, high), 2500ms);
  const Duration mean = random_delay(1500ms, 2500ms, middle);
  EXPECT_GT(mean, 1990ms);
  EXPECT_LT(mean, 2010ms);
  EXPECT_EQ(random_delay(3s, 2s, high), 3s);
}

// Measured: pam_authenticate() of libpam 1.5.2 (service sshd, no such user) begun in these seconds
// took this long and some milliseconds of work.
TEST(AuthDelay, ClockedDelayIsLibpams) {
  const std::pair<std::int64_t, Duration> measured[] = {
      {1795323020, 2093ms}, {1795323021, 1562ms}, {1795323022, 2368ms}, {1795323023, 2173ms},
      {1795323024, 2308ms}, {1795323025, 2113ms}, {1795323026, 2584ms}};
  for (const auto& [second, expected] : measured) {
    const Duration delay = clocked_delay(1s, 3s, second);
    EXPECT_GE(delay, expected - 1ms) << second;
    EXPECT_LE(delay, expected + 1ms) << second;
  }
  EXPECT_EQ(clocked_delay(3s, 2s, 1795323020), 3s);
}

}  // namespace
}  // namespace sandtrap::ssh
