#include "config/pattern.h"

#include <gtest/gtest.h>

#include "base/glob.h"
#include "config/network.h"

namespace sandtrap::config {
namespace {

TEST(Glob, StarsMatchAnyText) {
  struct Row {
    const char* pattern;
    const char* text;
    bool matches;
  };
  const Row rows[] = {{"*", "", true},         {"*", "x", true},       {"", "", true},
                      {"", "x", false},        {"a*c", "abc", true},   {"a*c", "ac", true},
                      {"a*c", "abd", false},   {"*b*", "abc", true},   {"a*b*c", "aXbYbZc", true},
                      {"a*b*c", "acb", false}, {"root", "roo", false}, {"**", "abc", true}};
  for (const Row& row : rows) {
    EXPECT_EQ(base::glob_match(row.pattern, row.text), row.matches)
        << row.pattern << " " << row.text;
  }
}

bool matches(std::string_view pattern, std::string_view text) {
  const auto regex = Regex::compile(pattern);
  return regex && regex->matches(text);
}

TEST(Regex, TheWholeTextMustMatchAndBytesAreBytes) {
  EXPECT_TRUE(matches("[0-9]{4,6}", "12345"));
  EXPECT_FALSE(matches("[0-9]{4,6}", "x12345"));
  EXPECT_FALSE(matches("[0-9]{4,6}", "1234567"));
  EXPECT_TRUE(matches("(?i)ADMIN.*", "admin\n1"));
  EXPECT_TRUE(matches("a.c",
                      "a\xff"
                      "c"));
  EXPECT_TRUE(matches("a.c", std::string_view("a\0c", 3)));
}

TEST(Regex, FaultsSayWhereAndWhatWithoutThePattern) {
  struct Row {
    const char* pattern;
    std::size_t offset;
    const char* what;
  };
  const Row rows[] = {{"ab[z-a]", 3, "invalid character class range"},
                      {"secret**", 6, "bad repetition operator"},
                      {"(?=x)", 0, "invalid perl operator"},
                      {"ab(c", 0, "missing )"},
                      {"x{9999}", 1, "invalid repetition size"}};
  for (const Row& row : rows) {
    const auto regex = Regex::compile(row.pattern);
    ASSERT_FALSE(regex) << row.pattern;
    EXPECT_EQ(regex.error().offset, row.offset) << row.pattern;
    EXPECT_EQ(regex.error().what, row.what);
  }
}

// (a*)*b takes a backtracking engine 2^n steps.
TEST(Regex, HostileTextTakesLinearTime) {
  EXPECT_FALSE(matches("(a*)*b", std::string(100'000, 'a')));
}

TEST(Network, ContainsWhatItsPrefixSays) {
  struct Row {
    const char* network;
    const char* address;
    bool inside;
  };
  const Row rows[] = {
      {"192.0.2.0/24", "192.0.2.255", true},       {"192.0.2.0/24", "192.0.3.0", false},
      {"192.0.2.0/24", "::ffff:192.0.2.1", true},  {"192.0.2.7", "192.0.2.7", true},
      {"192.0.2.7", "192.0.2.8", false},           {"0.0.0.0/0", "198.51.100.1", true},
      {"0.0.0.0/0", "2001:db8::1", false},         {"::/0", "198.51.100.1", true},
      {"2001:db8::/33", "2001:db8:7fff::1", true}, {"2001:db8::/33", "2001:db8:8000::1", false},
      {"::ffff:192.0.2.0/120", "192.0.2.9", true}};
  for (const Row& row : rows) {
    const auto network = parse_network(row.network);
    const auto address = parse_address(row.address);
    ASSERT_TRUE(network && address) << row.network << " " << row.address;
    EXPECT_EQ(network->contains(*address), row.inside) << row.network << " " << row.address;
  }
}

TEST(Network, RefusesWhatIsNone) {
  for (const char* bad : {"", "x", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.1/24",
                          "2001:db8::/129", "192.0.2", "192.0.2.0/24/8", "[::1]"}) {
    EXPECT_FALSE(parse_network(bad)) << bad;
  }
}

}  // namespace
}  // namespace sandtrap::config
