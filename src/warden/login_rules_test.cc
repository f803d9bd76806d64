// Login rules: tables, and properties of any list of rules.
#include "warden/login_rules.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "warden/login_policy.h"

namespace sandtrap::warden {
namespace {

using namespace std::chrono_literals;

// Settings from the text that an operator writes.
config::Authentication settings_of(const std::string& text) {
  const config::LoadResult loaded = config::load("authentication: {" + text + "}", "test");
  for (const config::Problem& problem : loaded.problems) {
    ADD_FAILURE() << config::to_string(problem);
  }
  return loaded.settings.authentication;
}

LoginRequest request(std::string_view user, std::string_view secret,
                     std::string_view source = "192.0.2.1") {
  return LoginRequest{user, "password", secret, false, source, {}, {}};
}
LoginRequest key(std::string_view user, std::string_view fingerprint, bool proven = true,
                 std::string_view type = "ssh-ed25519") {
  return LoginRequest{user, "publickey", "", proven, "192.0.2.1", type, fingerprint};
}

struct Policy {
  explicit Policy(const std::string& text, std::uint64_t seed = 7)
      : policy(settings_of(text), seed) {}
  std::string by(const LoginRequest& asked, std::string_view record = "case") {
    const LoginDecision decision = policy.decide(record, asked, now);
    return (decision.accepted ? "+" : "-") + decision.decided_by;
  }
  LoginPolicy policy;
  base::Instant now{};
};

TEST(LoginRules, TheFirstThatAppliesDecides) {
  Policy p(R"(accept_after_failures: false, rules: [
    {name: lab, source: 198.51.100.0/24, action: deny},
    {name: digits, user: root, password_regex: "[0-9]{4,6}", action: allow, sticky: none},
    {user: [admin*, test], password: ["*123*"], action: allow, sticky: none},
    {user: root, action: deny},
    {action: allow, user: root, password: never}])");
  struct Row {
    LoginRequest asked;
    const char* answer;
  };
  const Row rows[] = {
      {request("root", "12345"), "+rule:digits"},
      {request("root", "12345", "198.51.100.7"), "-rule:lab"},
      {request("root", "1234567"), "-rule:4"},
      {request("root", "never"), "-rule:4"},
      {request("administrator", "x123"), "+rule:3"},
      {request("test", "123"), "+rule:3"},
      {request("tester", "123"), "-no_match"},
      {request("root", "345gs5662d34"), "-deny_passwords"},
      {key("root", "SHA256:a"), "-rule:4"},
      {key("admin", "SHA256:a"), "-public_keys"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(p.by(row.asked), row.answer) << row.asked.user << "/" << row.asked.secret;
  }
}

TEST(LoginRules, OnTryCountsTheFailuresOfTheCase) {
  Policy p("accept_after_failures: false, rules: [{user: root, action: allow, on_try: 3}]");
  EXPECT_EQ(p.by(request("root", "a")), "-no_match");
  EXPECT_EQ(p.by(request("admin", "b")), "-no_match");
  EXPECT_EQ(p.by(request("root", "a"), "another case"), "-no_match");
  EXPECT_EQ(p.by(request("root", "c")), "+rule:1");
  EXPECT_EQ(p.by(request("root", "c")), "+returning");
}

TEST(LoginRules, StickyPerUserOrCaseOrNotAtAll) {
  const std::string rule = "accept_after_failures: false, rules: [{action: allow, sticky: ";
  Policy user(rule + "user}]");
  EXPECT_EQ(user.by(request("root", "a")), "+rule:1");
  EXPECT_EQ(user.by(request("root", "b")), "-other_password");
  EXPECT_EQ(user.by(request("admin", "b")), "+rule:1");
  EXPECT_EQ(user.by(request("root", "a")), "+returning");
  Policy one(rule + "case}]");
  EXPECT_EQ(one.by(request("root", "a")), "+rule:1");
  EXPECT_EQ(one.by(request("root", "b")), "-other_password");
  EXPECT_EQ(one.by(request("admin", "b")), "-other_login");
  EXPECT_EQ(one.by(request("root", "a")), "+returning");
  Policy none(rule + "none}]");
  for (const char* any : {"a", "b", "a"}) EXPECT_EQ(none.by(request("root", any)), "+rule:1");
  EXPECT_EQ(none.policy.records().earned("case", none.now).size(), 0U);
}

TEST(LoginRules, AFixedPasswordWorksBesideAnEarnedOneAndCountsAsEarned) {
  Policy p("credentials: [{user: root, password: letmein}], accept_after_failures: 0");
  EXPECT_EQ(p.by(request("root", "letmein")), "+credentials");
  EXPECT_EQ(p.by(request("root", "other")), "-other_password");
  Policy q("credentials: [{user: root, password: letmein}], accept_after_failures: 0");
  EXPECT_EQ(q.by(request("root", "other")), "+accept_after_failures");
  EXPECT_EQ(q.by(request("root", "letmein")), "+credentials");
  EXPECT_EQ(q.by(request("root", "other")), "+returning");
}

TEST(LoginRules, PresetsComeFirst) {
  const std::string open =
      ", accept_after_failures: 0, public_keys: accept, credentials: [{user: "
      "root, password: letmein}]";
  Policy by_key("preset: root-by-key" + open);
  EXPECT_EQ(by_key.by(request("root", "letmein")), "-preset:root-by-key");
  EXPECT_EQ(by_key.by(key("root", "SHA256:a")), "+public_keys");
  EXPECT_EQ(by_key.by(request("admin", "x")), "+accept_after_failures");
  Policy no_root("preset: no-root" + open);
  EXPECT_EQ(no_root.by(key("root", "SHA256:a")), "-preset:no-root");
  Policy keys("preset: keys-only" + open);
  EXPECT_EQ(keys.by(request("admin", "x")), "-preset:keys-only");
  Policy open_root("preset: open-root");
  const LoginRequest none{"root", "none", "", false, {}, {}, {}};
  EXPECT_EQ(open_root.by(none), "+preset:open-root");
  EXPECT_EQ(open_root.by(request("root", "")), "+preset:open-root");
  EXPECT_EQ(open_root.by(request("root", "anything")), "+preset:open-root");
  EXPECT_EQ(open_root.by(request("root", "345gs5662d34")), "-deny_passwords");
  EXPECT_EQ(open_root.by(request("admin", "")), "-empty_password");
}

TEST(LoginRules, KeysByTypeAreEarnedOnlyWhenProven) {
  Policy p("rules: [{key_type: \"ssh-ed25519*\", action: allow, sticky: user}]");
  EXPECT_EQ(p.by(key("root", "SHA256:a", false)), "+rule:1");
  EXPECT_EQ(p.by(key("root", "SHA256:b", false)), "+rule:1");
  EXPECT_EQ(p.by(key("root", "SHA256:a", true)), "+rule:1");
  EXPECT_EQ(p.by(key("root", "SHA256:b", false)), "-other_password");
  EXPECT_EQ(p.by(key("root", "SHA256:a", false)), "+returning");
  EXPECT_EQ(p.by(key("root", "SHA256:c", true, "rsa-sha2-512")), "-public_keys");
  // A key says nothing about passwords.
  EXPECT_EQ(p.by(request("root", "x")), "-no_match");
}

TEST(LoginRules, ProbabilityIsAShareOfLoginsAndAlwaysGivesTheSameAnswer) {
  const std::string text =
      "accept_after_failures: false, rules: [{action: allow, probability: 0.2, "
      "sticky: none}]";
  Policy p(text), same(text), other(text, 8);
  int accepted = 0, differs = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::string password = fmt::format("p{}", i);
    const std::string answer = p.by(request("root", password));
    EXPECT_EQ(p.by(request("root", password)), answer);
    EXPECT_EQ(same.by(request("root", password)), answer);
    accepted += answer.front() == '+' ? 1 : 0;
    differs += other.by(request("root", password)) != answer ? 1 : 0;
    differs += p.by(request("root", password), "another case") != answer ? 1 : 0;
  }
  EXPECT_NEAR(accepted, 1000, 150);
  EXPECT_NEAR(differs, 3200, 300);  // 2 × 2 × 0.2 × 0.8 × 5000
}

TEST(LoginRules, TheExplanationEndsWithTheDecisionAndRemembersNothing) {
  Policy p("rules: [{name: lab, source: 198.51.100.0/24, action: deny}]");
  const LoginExplanation first = p.policy.explain("case", request("root", "a"), p.now);
  ASSERT_EQ(first.steps.size(), 4U);
  EXPECT_EQ(first.steps[0].rule, "rule:lab");
  EXPECT_EQ(first.steps[0].why, "does not apply: another source");
  EXPECT_EQ(first.steps[2].why, "does not apply: from try 3 on, this is try 1");
  EXPECT_EQ(first.steps[3].rule, "no_match");
  EXPECT_EQ(p.policy.records().size(), 0U);
}

config::LoginRule any_rule() {
  config::LoginRule rule;
  const auto text = [] { return *rc::gen::element<std::string>("a", "b", "a*", "*"); };
  if (*rc::gen::arbitrary<bool>()) rule.users = {text()};
  if (*rc::gen::arbitrary<bool>()) rule.passwords = {text()};
  if (*rc::gen::inRange(0, 4) == 0) rule.sources = {"192.0.2.0/25"};
  rule.allow = *rc::gen::arbitrary<bool>();
  if (rule.allow && *rc::gen::inRange(0, 3) == 0) rule.on_try = *rc::gen::inRange(1U, 4U);
  if (*rc::gen::inRange(0, 3) == 0) rule.probability = 0.5;
  if (rule.allow)
    rule.sticky = *rc::gen::element(config::Sticky::kNone, config::Sticky::kFixed,
                                    config::Sticky::kUser, config::Sticky::kCase);
  return rule;
}

struct Try {
  std::string user, password, source, record;
};
std::vector<Try> any_tries() {
  std::vector<Try> out;
  const auto count = *rc::gen::inRange(1, 60);
  for (int i = 0; i < count; ++i) {
    out.push_back({*rc::gen::element<std::string>("a", "b", "ab", "root"),
                   *rc::gen::element<std::string>("a", "b", "ab", "x", "345gs5662d34"),
                   *rc::gen::element<std::string>("192.0.2.1", "192.0.2.200", "2001:db8::1"),
                   *rc::gen::element<std::string>("1", "2", "3", "4", "5")});
  }
  return out;
}
config::Authentication any_settings() {
  config::Authentication s;
  const auto count = *rc::gen::inRange(0, 6);
  for (int i = 0; i < count; ++i) s.rules.push_back(any_rule());
  if (*rc::gen::arbitrary<bool>()) s.accept_after_failures.reset();
  s.max_tracked_sources = 3;
  s.max_earned = 2;
  return s;
}

TEST(LoginRulesProperty, ProbesAreNeverLetInAndWhatIsRememberedIsBounded) {
  EXPECT_TRUE(rc::check([] {
    const config::Authentication settings = any_settings();
    LoginPolicy policy(settings, 1);
    base::Instant now{};
    for (const Try& one : any_tries()) {
      const LoginRequest asked = request(one.user, one.password, one.source);
      const LoginExplanation told = policy.explain(one.record, asked, now);
      const LoginDecision decision = policy.decide(one.record, asked, now);
      RC_ASSERT(told.decision.accepted == decision.accepted);
      RC_ASSERT(told.decision.decided_by == decision.decided_by);
      RC_ASSERT(told.steps.back().rule == decision.decided_by);
      RC_ASSERT(!(decision.accepted && one.password == "345gs5662d34"));
      RC_ASSERT(policy.records().size() <= 3U);
      RC_ASSERT(policy.records().earned(one.record, now).size() <= 2U);
      now += 1s;
    }
  }));
}

TEST(LoginRulesProperty, RulesBehindTheDecidingOneDoNotMatter) {
  EXPECT_TRUE(rc::check([] {
    config::Authentication settings = any_settings();
    settings.accept_after_failures.reset();
    const LoginRequest asked = request("a", "ab");
    const LoginExplanation whole = LoginPolicy(settings, 1).explain("1", asked, {});
    const std::string& by = whole.decision.decided_by;
    if (!by.starts_with("rule:")) return;
    settings.rules.resize(std::stoul(by.substr(5)));
    const LoginExplanation cut = LoginPolicy(settings, 1).explain("1", asked, {});
    RC_ASSERT(cut.decision.decided_by == by);
    RC_ASSERT(cut.decision.accepted == whole.decision.accepted);
  }));
}

TEST(LoginRulesProperty, SavedAndLoadedRecordsDecideTheSame) {
  EXPECT_TRUE(rc::check([] {
    const config::Authentication settings = any_settings();
    LoginPolicy one(settings, 1), two(settings, 1);
    base::Instant now{};
    const std::vector<Try> tries = any_tries();
    for (const Try& t : tries) {
      one.decide(t.record, request(t.user, t.password, t.source), now);
      now += 1s;
    }
    // Another process: its clock starts elsewhere, the wall clock goes on.
    const base::WallTime wall{1'700'000'000'000'000};
    const base::Instant later = now + 1000h;
    two.records().load(one.records().save_all({now, wall}), {later, wall});
    for (const Try& t : tries) {
      const LoginRequest asked = request(t.user, t.password, t.source);
      // Told, not decided: a record without anything in it is not saved, so that the two make room
      // for further ones differently.
      const LoginDecision a = one.explain(t.record, asked, now).decision;
      const LoginDecision b = two.explain(t.record, asked, later).decision;
      RC_ASSERT(a.accepted == b.accepted);
      RC_ASSERT(a.decided_by == b.decided_by);
    }
  }));
}

}  // namespace
}  // namespace sandtrap::warden
