#include "warden/login_policy.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "warden/cases.h"
#include "warden/retention.h"
#include "warden/user_name.h"

namespace sandtrap::warden {
namespace {

using namespace std::chrono_literals;
using base::Instant;

const SourceKey kHere = *parse_source("192.0.2.1");
const SourceKey kElsewhere = *parse_source("192.0.2.2");

LoginRequest password(std::string_view user, std::string_view secret) {
  return LoginRequest{user, "password", secret, false};
}

struct Policy {
  explicit Policy(config::Authentication s = {}) : policy(s, 7) {}
  std::string_view by(const LoginRequest& request, const SourceKey& source = kHere) {
    last = policy.decide(source, request, now);
    return last.decided_by;
  }
  LoginPolicy policy;
  Instant now{};
  LoginDecision last;
};

config::Authentication with(std::vector<config::Credential> credentials) {
  config::Authentication s;
  s.credentials = std::move(credentials);
  return s;
}

TEST(LoginPolicy, TheThirdPasswordOfASourceIsAccepted) {
  Policy p;
  EXPECT_EQ(p.by(password("root", "a")), "no_match");
  EXPECT_EQ(p.by(password("admin", "b")), "no_match");
  EXPECT_EQ(p.by(password("root", "x"), kElsewhere), "no_match");
  EXPECT_EQ(p.by(password("root", "c")), "accept_after_failures");
  EXPECT_TRUE(p.last.accepted);
}

TEST(LoginPolicy, AnEarnedPasswordSticksToItsUserAndSource) {
  Policy p;
  for (const char* wrong : {"a", "b", "c"}) p.by(password("root", wrong));
  ASSERT_TRUE(p.last.accepted);
  EXPECT_EQ(p.by(password("root", "c")), "returning");
  EXPECT_TRUE(p.last.accepted);
  EXPECT_EQ(p.by(password("root", "d")), "other_password");
  EXPECT_FALSE(p.last.accepted);
  EXPECT_EQ(p.by(password("root", "c")), "returning");
  // A new user starts from zero again.
  EXPECT_EQ(p.by(password("admin", "x")), "no_match");
  EXPECT_EQ(p.by(password("admin", "y")), "no_match");
  EXPECT_EQ(p.by(password("admin", "z")), "accept_after_failures");
  EXPECT_EQ(p.by(password("root", "c")), "returning");
  EXPECT_EQ(p.by(password("root", "c"), kElsewhere), "no_match");
}

TEST(LoginPolicy, TheNextThirdPasswordTakesTheEarnedOnesPlace) {
  Policy p;
  for (const char* wrong : {"a", "b", "c"}) p.by(password("root", wrong));
  EXPECT_EQ(p.by(password("root", "d")), "other_password");
  EXPECT_EQ(p.by(password("root", "e")), "other_password");
  EXPECT_EQ(p.by(password("root", "f")), "accept_after_failures");
  EXPECT_EQ(p.by(password("root", "c")), "other_password");
  EXPECT_EQ(p.by(password("root", "f")), "returning");
}

TEST(LoginPolicy, MemoryExpires) {
  Policy p;
  p.by(password("root", "a"));
  p.by(password("root", "b"));
  p.now += 86400s;
  EXPECT_EQ(p.by(password("root", "c")), "no_match");
  EXPECT_EQ(p.by(password("root", "d")), "no_match");
  EXPECT_EQ(p.by(password("root", "e")), "accept_after_failures");
  p.now += 86400s;
  EXPECT_EQ(p.by(password("root", "e")), "no_match");
}

TEST(LoginPolicy, CredentialsAreOrderedAndDenyWins) {
  Policy p(with({{"root", "letmein", false}, {"root", "*", true}, {"*", "pass*", false}}));
  EXPECT_EQ(p.by(password("root", "letmein")), "credentials");
  EXPECT_EQ(p.by(password("admin", "password")), "credentials");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(p.by(password("root", "password")), "credentials_deny");
  EXPECT_FALSE(p.last.accepted);
}

TEST(LoginPolicy, ConfiguredCredentialsWorkBesideAnEarnedPassword) {
  Policy p(with({{"root", "letmein", false}}));
  for (const char* wrong : {"a", "b", "c"}) p.by(password("root", wrong));
  EXPECT_EQ(p.by(password("root", "letmein")), "credentials");
  EXPECT_EQ(p.by(password("root", "c")), "returning");
}

TEST(LoginPolicy, SomeThingsAreNeverAccepted) {
  config::Authentication open = with({{"*", "*", false}});
  open.accept_after_failures = 0;
  open.keyboard_interactive = true;
  Policy p(open);
  const LoginRequest never[] = {
      password("root", ""),
      password("root", "345gs5662d34"),
      password("root", "3245gs5662d34"),
      password("", "x"),
      password("ROOT", "x"),
      password("a b", "x"),
      password("../etc", "x"),
      password("root\n", "x"),
      password(std::string_view("ro\0ot", 5), "x"),
      {"root", "none", "", false},
      {"root", "hostbased", "x", false},
      {"root", "keyboard-interactive", "", false},
      {"root", "publickey", "", true},
  };
  for (const LoginRequest& request : never) {
    p.by(request);
    EXPECT_FALSE(p.last.accepted) << request.user << "/" << request.secret;
  }
  p.by(password("root", "anything"));
  EXPECT_TRUE(p.last.accepted);
}

TEST(LoginPolicy, KeyboardInteractiveIsAPasswordWhenItIsOn) {
  config::Authentication s;
  Policy off(s);
  EXPECT_EQ(off.by({"root", "keyboard-interactive", "a", false}), "method");
  s.keyboard_interactive = true;
  Policy on(s);
  on.by({"root", "keyboard-interactive", "a", false});
  on.by(password("root", "b"));
  EXPECT_EQ(on.by({"root", "keyboard-interactive", "c", false}), "accept_after_failures");
  EXPECT_EQ(on.by(password("root", "c")), "returning");
}

TEST(LoginPolicy, KeysFollowTheirSetting) {
  config::Authentication s;
  s.public_keys = config::Authentication::PublicKeys::kAccept;
  Policy accept(s);
  accept.by({"root", "publickey", "", false});
  EXPECT_TRUE(accept.last.accepted);
  s.public_keys = config::Authentication::PublicKeys::kAcceptAfterFailures;
  Policy later(s);
  later.by({"root", "publickey", "", false});
  EXPECT_FALSE(later.last.accepted);
  later.by(password("root", "a"));
  later.by(password("root", "b"));
  later.by({"root", "publickey", "", true});
  EXPECT_TRUE(later.last.accepted);
}

TEST(LoginPolicy, FalseTurnsAcceptingOffAndZeroAcceptsAtOnce) {
  config::Authentication s;
  s.accept_after_failures.reset();
  Policy never(s);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(never.by(password("root", "a")), "no_match");
  s.accept_after_failures = 0;
  Policy at_once(s);
  EXPECT_EQ(at_once.by(password("root", "a")), "accept_after_failures");
}

TEST(LoginPolicy, TheTableIsBoundedAndForgetsTheOldest) {
  config::Authentication s;
  s.max_tracked_sources = 2;
  Policy p(s);
  for (const char* ip : {"192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"}) {
    p.by(password("root", "a"), *parse_source(ip));
  }
  EXPECT_EQ(p.policy.table().size(), 2U);
  EXPECT_EQ(p.policy.table().failures(*parse_source("192.0.2.1"), p.now), 2U);
  EXPECT_EQ(p.policy.table().failures(*parse_source("192.0.2.2"), p.now), 0U);
}

TEST(SourceKey, Ipv6CountsByNetworkAndMappedIpv4AsIpv4) {
  EXPECT_EQ(parse_source("2001:db8:1:2::1"), parse_source("2001:db8:1:2:ffff::9"));
  EXPECT_NE(parse_source("2001:db8:1:2::1"), parse_source("2001:db8:1:3::1"));
  EXPECT_EQ(parse_source("::ffff:192.0.2.1"), parse_source("192.0.2.1"));
  EXPECT_NE(parse_source("192.0.2.1"), parse_source("192.0.2.2"));
  for (const char* bad : {"", "x", "192.0.2", "192.0.2.1 ", "[::1]", "fe80::1%eth0"}) {
    EXPECT_FALSE(parse_source(bad)) << bad;
  }
}

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
    EXPECT_EQ(glob_match(row.pattern, row.text), row.matches) << row.pattern << " " << row.text;
  }
}

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

TEST(Cases, OneForEachSourceAndRememberedWhileThereIsRoom) {
  base::SystemEntropy entropy;
  Cases cases(2, entropy);
  const CaseId one = cases.open(kHere);
  EXPECT_EQ(one.size(), 12U);
  EXPECT_EQ(cases.open(kHere), one);
  EXPECT_NE(cases.open(kElsewhere), one);
  cases.close(kHere);
  cases.close(kHere);
  EXPECT_EQ(cases.open(kHere), one);
  cases.close(kHere);
  cases.open(*parse_source("192.0.2.3"));  // the idle one makes room
  EXPECT_EQ(cases.size(), 2U);
  EXPECT_NE(cases.open(kHere), one);  // all busy: over the maximum rather than refused
  EXPECT_EQ(cases.size(), 3U);
  cases.adopt(*parse_source("192.0.2.9"), "0123456789ab");
  EXPECT_EQ(cases.size(), 3U);  // idle and over the maximum: forgotten at once
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
