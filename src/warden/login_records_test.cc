#include "warden/login_records.h"

#include <gtest/gtest.h>

#include <limits>

namespace sandtrap::warden {
namespace {

using namespace std::chrono_literals;

Fingerprint print(std::uint8_t n) {
  Fingerprint out{};
  out[0] = n;
  return out;
}

TEST(LoginRecords, ARecordFollowsItsCase) {
  LoginRecords records(10, 2, 100s);
  const base::Instant now{};
  records.add_failure("a", now);
  records.add_failure("a", now);
  records.add_failure("b", now);
  records.earn("a", {print(1), print(2), false, {}}, now);
  records.rekey("a", "b", now);
  EXPECT_EQ(records.size(), 1U);
  EXPECT_EQ(records.failures("b", now), 2U);
  EXPECT_EQ(records.earned("b", now).size(), 1U);
  records.rekey("unknown", "b", now);
  records.rekey("b", "b", now);
  EXPECT_EQ(records.failures("b", now), 2U);
}

TEST(LoginRecords, JoiningKeepsTheLimitAndTheNewest) {
  LoginRecords records(10, 2, 100s);
  const base::Instant now{};
  records.earn("b", {print(1), print(1), false, {}}, now);
  records.earn("a", {print(2), print(2), false, {}}, now);
  records.earn("a", {print(3), print(3), false, {}}, now);
  records.rekey("a", "b", now);
  const auto earned = records.earned("b", now);
  ASSERT_EQ(earned.size(), 2U);
  EXPECT_EQ(earned[0].user, print(2));
  EXPECT_EQ(earned[1].user, print(3));
}

TEST(LoginRecords, SavedTimesAreCutToWhatCouldBeRemembered) {
  LoginRecords records(10, 16, 100s);
  const Clocks clocks{base::Instant(5s), {1'000'000'000}};
  const base::WallTime far{std::numeric_limits<std::int64_t>::max()}, past{-1};
  records.load({{"a", 7, far, {{print(1), print(1), false, far}, {print(2), print(2), true, past}}},
                {"b", 7, past, {}}},
               clocks);
  EXPECT_EQ(records.failures("a", clocks.now + 99s), 7U);
  EXPECT_EQ(records.failures("a", clocks.now + 100s), 0U);
  EXPECT_EQ(records.earned("a", clocks.now + 99s).size(), 1U);
  EXPECT_EQ(records.earned("a", clocks.now + 100s).size(), 0U);
  EXPECT_EQ(records.failures("b", clocks.now), 0U);
  EXPECT_FALSE(records.save("b", clocks));
}

}  // namespace
}  // namespace sandtrap::warden
