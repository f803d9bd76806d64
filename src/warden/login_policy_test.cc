#include "warden/login_policy.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sandtrap::warden {
namespace {

using namespace std::chrono_literals;
using base::Instant;

constexpr std::string_view kHere = "c1", kElsewhere = "c2";

LoginRequest password(std::string_view user, std::string_view secret) {
  return LoginRequest{user, "password", secret, false, {}, {}, {}};
}

struct Policy {
  explicit Policy(config::Authentication s = {}) : policy(s, 7) {}
  std::string_view by(const LoginRequest& request, std::string_view record = kHere) {
    last = policy.decide(record, request, now);
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

TEST(LoginPolicy, OnceEarnedNoOtherPasswordOfTheUserWorks) {
  Policy p;
  for (const char* wrong : {"a", "b", "c"}) p.by(password("root", wrong));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(p.by(password("root", "d")), "other_password");
  EXPECT_EQ(p.by(password("root", "c")), "returning");
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
      {"root", "none", "", false, {}, {}, {}},
      {"root", "hostbased", "x", false, {}, {}, {}},
      {"root", "keyboard-interactive", "", false, {}, {}, {}},
      {"root", "publickey", "", true, {}, {}, {}},
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
  EXPECT_EQ(off.by({"root", "keyboard-interactive", "a", false, {}, {}, {}}), "method");
  s.keyboard_interactive = true;
  Policy on(s);
  on.by({"root", "keyboard-interactive", "a", false, {}, {}, {}});
  on.by(password("root", "b"));
  EXPECT_EQ(on.by({"root", "keyboard-interactive", "c", false, {}, {}, {}}),
            "accept_after_failures");
  EXPECT_EQ(on.by(password("root", "c")), "returning");
}

TEST(LoginPolicy, KeysFollowTheirSetting) {
  config::Authentication s;
  s.public_keys = config::Authentication::PublicKeys::kAccept;
  Policy accept(s);
  accept.by({"root", "publickey", "", false, {}, {}, {}});
  EXPECT_TRUE(accept.last.accepted);
  s.public_keys = config::Authentication::PublicKeys::kAcceptAfterFailures;
  Policy later(s);
  later.by({"root", "publickey", "", false, {}, {}, {}});
  EXPECT_FALSE(later.last.accepted);
  later.by(password("root", "a"));
  later.by(password("root", "b"));
  later.by({"root", "publickey", "", true, {}, {}, {}});
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

TEST(LoginPolicy, TheRecordsAreBoundedAndTheOldestIsForgotten) {
  config::Authentication s;
  s.max_tracked_sources = 2;
  Policy p(s);
  for (const char* record : {"1", "2", "1", "3"}) p.by(password("root", "a"), record);
  EXPECT_EQ(p.policy.records().size(), 2U);
  EXPECT_EQ(p.policy.records().failures("1", p.now), 2U);
  EXPECT_EQ(p.policy.records().failures("2", p.now), 0U);
}

}  // namespace
}  // namespace sandtrap::warden
