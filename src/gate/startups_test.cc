#include "gate/startups.h"

#include <gtest/gtest.h>

namespace sandtrap::gate {
namespace {

TEST(DropPercent, FollowsSshdsLine) {
  const config::MaxStartups limits{10, 30, 100};
  struct Row {
    std::uint32_t unauthenticated, percent;
  };
  // sshd: p = (100 - rate) * (n - begin) / (full - begin) + rate, integer arithmetic.
  const Row rows[] = {{0, 0},   {9, 0},   {10, 30},   {11, 30},   {12, 31},
                      {55, 65}, {99, 99}, {100, 100}, {1000, 100}};
  for (const Row& row : rows) {
    EXPECT_EQ(drop_percent(limits, row.unauthenticated), row.percent) << row.unauthenticated;
  }
}

TEST(DropPercent, EdgesOfTheSetting) {
  EXPECT_EQ(drop_percent({10, 100, 20}, 10), 100U);  // rate 100: always from `start`
  EXPECT_EQ(drop_percent({10, 30, 10}, 9), 0U);      // start == full: no line, no division
  EXPECT_EQ(drop_percent({10, 30, 10}, 10), 100U);
  EXPECT_EQ(drop_percent({0, 0, 100}, 0), 0U);
}

constexpr base::Instant kNow{};

config::Server limits(std::uint32_t per_source, std::uint32_t total) {
  config::Server server;
  server.max_startups = {2, 50, 4};
  server.max_connections_per_source = per_source;
  server.max_connections = total;
  return server;
}

TEST(Admission, CountsTheUnauthenticatedOnly) {
  Admission admission(limits(100, 100));
  EXPECT_EQ(admission.admit("a", 0, kNow), Verdict::kAdmit);
  EXPECT_EQ(admission.admit("b", 0, kNow), Verdict::kAdmit);
  EXPECT_EQ(admission.admit("c", 49, kNow), Verdict::kStartups);  // 50 % at two
  EXPECT_EQ(admission.admit("c", 50, kNow), Verdict::kAdmit);
  admission.authenticated();
  admission.authenticated();
  EXPECT_EQ(admission.unauthenticated(), 1U);
  EXPECT_EQ(admission.admit("d", 0, kNow), Verdict::kAdmit);
  admission.closed("a", true);
  EXPECT_EQ(admission.total(), 3U);
  EXPECT_EQ(admission.unauthenticated(), 2U);
  admission.closed("d", false);
  EXPECT_EQ(admission.unauthenticated(), 1U);
}

TEST(Admission, LimitsPerSourceAndInAll) {
  config::Server server = limits(2, 3);
  server.max_startups = {100, 30, 200};
  Admission admission(server);
  EXPECT_EQ(admission.admit("a", 99, kNow), Verdict::kAdmit);
  EXPECT_EQ(admission.admit("a", 99, kNow), Verdict::kAdmit);
  EXPECT_EQ(admission.admit("a", 99, kNow), Verdict::kSource);
  EXPECT_EQ(admission.admit("b", 99, kNow), Verdict::kAdmit);
  EXPECT_EQ(admission.admit("c", 99, kNow), Verdict::kTotal);
  admission.closed("a", false);
  EXPECT_EQ(admission.admit("a", 99, kNow), Verdict::kAdmit);
}

TEST(Admission, LimitsHowOftenOneSourceConnects) {
  config::Server server = limits(100, 1000);
  server.max_startups = {1000, 30, 2000};
  server.source_rate = 60;
  server.source_burst = 3;
  Admission admission(server);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(admission.admit("a", 99, kNow), Verdict::kAdmit);
  EXPECT_EQ(admission.admit("a", 99, kNow), Verdict::kRate);
  EXPECT_EQ(admission.admit("b", 99, kNow), Verdict::kAdmit);
  EXPECT_EQ(admission.admit("a", 99, kNow + std::chrono::seconds(1)), Verdict::kAdmit);
  EXPECT_EQ(admission.total(), 5U);  // who was refused is not counted
  EXPECT_EQ(reason(Verdict::kRate), "source_rate");
}

TEST(Admission, AChangedPrefixLosesNoConnection) {
  config::Server server = limits(1, 10);
  Admission admission(server);
  const std::string source = admission.source_of("2001:db8:1:2::1");
  EXPECT_EQ(admission.admit(source, 99, kNow), Verdict::kAdmit);
  server.source_ipv6_prefix = 48;
  admission.configure(server);
  EXPECT_NE(admission.source_of("2001:db8:1:2::1"), source);
  admission.closed(source, false);
  EXPECT_EQ(admission.total(), 0U);
}

}  // namespace
}  // namespace sandtrap::gate
