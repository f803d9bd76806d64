// Who an attacker is, by address and name, and what is kept of one.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "warden/retention.h"
#include "warden/user_name.h"

namespace sandtrap::warden {
namespace {

using namespace std::chrono_literals;

TEST(UserName, IsWhatUseraddTakes) {
  for (const char* good :
       {"root", "a", "_apt", "web-1", "x.y", "host$", "a23456789012345678901234567890bc"}) {
    EXPECT_TRUE(is_possible_user(good)) << good;
  }
  for (const char* bad : {"", "$", "1a", "-a", "Root", "a b", "a/b", "a$b", "a\xc3\xa4",
                          "a23456789012345678901234567890123"}) {
    EXPECT_FALSE(is_possible_user(bad)) << bad;
  }
}

Kept kept(const char* name, std::int64_t age_s, std::uint64_t bytes) {
  return Kept{name, name, base::WallTime{(1'000'000 - age_s) * 1'000'000}, bytes};
}

TEST(Retention, AgeCountAndBytesEachRemoveTheOldestFirst) {
  const base::WallTime now{1'000'000LL * 1'000'000};
  const std::vector<Kept> all = {kept("new", 10, 5), kept("old", 1000, 5), kept("mid", 100, 5)};
  const config::Preservation roomy{true, 2000s, 10, 100};
  EXPECT_TRUE(expired(all, roomy, now).empty());
  config::Preservation s = roomy;
  s.max_age = 500s;
  EXPECT_EQ(expired(all, s, now), (std::vector<std::size_t>{1}));
  s = roomy;
  s.max_count = 1;
  EXPECT_EQ(expired(all, s, now), (std::vector<std::size_t>{1, 2}));
  s = roomy;
  s.max_bytes = 9;
  EXPECT_EQ(expired(all, s, now), (std::vector<std::size_t>{1, 2}));
}

TEST(Retention, WhatIsLeftFitsAndNothingYoungerGoesBeforeSomethingOlder) {
  EXPECT_TRUE(rc::check([] {
    std::vector<Kept> all;
    for (const auto age :
         *rc::gen::container<std::vector<std::uint16_t>>(rc::gen::arbitrary<std::uint16_t>())) {
      all.push_back(kept("x", age, age % 50U));
    }
    const config::Preservation s{true, std::chrono::seconds(*rc::gen::inRange(0, 70000)),
                                 *rc::gen::inRange(0U, 20U), *rc::gen::inRange(0U, 500U)};
    const base::WallTime now{1'000'000LL * 1'000'000};
    const auto gone = expired(all, s, now);
    std::vector<bool> removed(all.size());
    for (const std::size_t i : gone) removed[i] = true;
    std::uint64_t bytes = 0;
    std::size_t count = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (removed[i]) continue;
      ++count;
      bytes += all[i].bytes;
      for (const std::size_t j : gone) RC_ASSERT(all[j].ended.micros <= all[i].ended.micros);
    }
    RC_ASSERT(count <= s.max_count);
    RC_ASSERT(bytes <= s.max_bytes);
  }));
}

}  // namespace
}  // namespace sandtrap::warden
