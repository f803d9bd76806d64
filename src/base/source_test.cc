#include "base/source.h"

#include <gtest/gtest.h>

namespace sandtrap::base {
namespace {

TEST(SourceOf, GroupsIpv6ByItsPrefix) {
  struct Row {
    const char *one, *other;
    std::uint32_t prefix;
    bool same;
  };
  const Row rows[] = {
      {"192.0.2.7", "192.0.2.7", 64, true},
      {"192.0.2.7", "192.0.2.8", 32, false},  // the prefix is of IPv6 only
      {"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", 64, true},
      {"2001:db8:1:2::1", "2001:db8:1:3::1", 64, false},
      {"2001:db8:1:2::1", "2001:db8:1:3::1", 63, true},
      {"2001:db8:1:2::1", "2001:db8:1:3::1", 48, true},
      {"2001:db8:1:2::1", "2001:db8:2:2::1", 48, false},
      {"2001:db8::1", "2001:db8::2", 128, false},
      {"2001:db8::1", "2001:0db8:0::1", 128, true},
      {"2001:db8::1", "2001:db9::1", 32, false},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(source_of(row.one, row.prefix) == source_of(row.other, row.prefix), row.same)
        << row.one << " " << row.other << "/" << row.prefix;
  }
}

TEST(SourceOf, NamesTheSourceAndNothingElse) {
  EXPECT_EQ(source_of("192.0.2.1", 64), "192.0.2.1");
  EXPECT_EQ(source_of("::ffff:192.0.2.1", 64), "192.0.2.1");
  EXPECT_EQ(source_of("2001:db8:1:2::9", 64), "2001:db8:1:2::/64");
  EXPECT_EQ(source_of("2001:db8::9", 200), "2001:db8::9/128");
  EXPECT_EQ(source_of("2001:db8::9", 0), "::/0");
  for (const std::string_view bad :
       {std::string_view(""), std::string_view("x"), std::string_view("192.0.2"),
        std::string_view("192.0.2.1 "), std::string_view("[::1]"), std::string_view("fe80::1%eth0"),
        std::string_view("192.0.2.1\0", 10),
        std::string_view("2001:db8:0000:0000:0000:0000:0000:00000000000001")}) {
    EXPECT_EQ(source_of(bad, 64), "") << bad;
  }
}

}  // namespace
}  // namespace sandtrap::base
