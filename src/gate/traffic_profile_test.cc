#include "gate/traffic_profile.h"

#include <gtest/gtest.h>

namespace sandtrap::gate {

TEST(TrafficProfile, CountsLengthsPacketsAndAcknowledgements) {
  TrafficProfile profile;
  for (const std::size_t n : {36U, 36U, 100U}) profile.received(n);
  for (const std::size_t n : {52U, 36U, 36U, 52U}) profile.sent(n);
  const auto window = profile.close(AckCounts{5, 1});
  ASSERT_TRUE(window);
  EXPECT_EQ(window->number, 1U);
  EXPECT_EQ(ja4ssh(*window), "c36s36_c3s4_c5s1");
}

TEST(TrafficProfile, ASecondWindowCountsItsOwnAcknowledgements) {
  TrafficProfile profile;
  profile.received(1);
  ASSERT_TRUE(profile.close(AckCounts{5, 1}));
  profile.sent(2);
  const auto window = profile.close(AckCounts{7, 4});
  ASSERT_TRUE(window);
  EXPECT_EQ(window->number, 2U);
  EXPECT_EQ(ja4ssh(*window), "c0s2_c0s1_c2s3");
  EXPECT_FALSE(profile.close(AckCounts{}));
}

TEST(TrafficProfile, IsFullAfterTwoHundredPackets) {
  TrafficProfile profile;
  for (std::size_t i = 0; i < TrafficProfile::kPackets / 2; ++i) {
    EXPECT_FALSE(profile.full());
    profile.received(1);
    profile.sent(1);
  }
  EXPECT_TRUE(profile.full());
  ASSERT_TRUE(profile.close({}));
  EXPECT_FALSE(profile.full());
}

TEST(TrafficProfile, ALongDownloadStopsBeingReported) {
  TrafficProfile profile;
  std::uint32_t windows = 0;
  for (int i = 0; i < 100'000; ++i) {
    profile.sent(1448);
    if (profile.full() && profile.close({})) ++windows;
  }
  EXPECT_EQ(windows, TrafficProfile::kMaxWindows);
  EXPECT_FALSE(profile.close({}));
}

}  // namespace sandtrap::gate
