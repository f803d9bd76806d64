// authentication.rules: what is accepted, what is refused and exactly where, and what the gate
// sees.
#include "config/login_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/document.h"

namespace sandtrap::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string in_rules(const std::string& entries) {
  return "authentication:\n  rules:\n" + entries;
}

std::vector<std::string> problems_of(const std::string& entries) {
  std::vector<std::string> out;
  for (const Problem& problem : load(in_rules(entries), "f").problems) {
    out.push_back(to_string(problem));
  }
  return out;
}

constexpr const char* kRules =
    R"(    - {name: lab, source: [192.0.2.0/24, "2001:db8::/32"], action: deny}
    - {user: root, password_regex: "[0-9]{4,6}", method: password, action: allow, on_try: 3, sticky: case}
    - {user_regex: "adm.*", password: ["a*", "", 12345], action: allow, probability: 0.3}
    - {key_type: "ssh-ed25519*", action: allow, sticky: none}
    - {user: guest, method: none, action: allow}
)";

TEST(LoginRules, EveryKeyIsReadAndWrittenBack) {
  const LoadResult loaded = load(in_rules(kRules), "f");
  ASSERT_THAT(loaded.problems, IsEmpty());
  const auto& rules = loaded.settings.authentication.rules;
  ASSERT_EQ(rules.size(), 5U);
  EXPECT_EQ(rules[0].name, "lab");
  EXPECT_THAT(rules[0].sources, ElementsAre("192.0.2.0/24", "2001:db8::/32"));
  EXPECT_FALSE(rules[0].allow);
  EXPECT_EQ(rules[1].password_regex, "[0-9]{4,6}");
  EXPECT_EQ(rules[1].on_try, 3U);
  EXPECT_EQ(rules[1].sticky, Sticky::kCase);
  EXPECT_THAT(rules[2].passwords, ElementsAre("a*", "", "12345"));
  EXPECT_EQ(rules[2].probability, 0.3);
  EXPECT_FALSE(rules[2].sticky);
  const LoadResult again = load(dump(loaded.settings, Audience::kEveryone), "g");
  EXPECT_THAT(again.problems, IsEmpty());
  EXPECT_EQ(again.settings, loaded.settings);
}

TEST(LoginRules, TheGateLearnsOnlyWhatItOffers) {
  const auto text = redact_for_gate(in_rules(kRules));
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, Not(HasSubstr("guest")));
  EXPECT_TRUE(load(*text, "g").settings.authentication.asks_none);
  EXPECT_TRUE(load(*text, "g").settings.authentication.offers_passwords);
  const auto closed = redact_for_gate("authentication: {preset: keys-only}");
  ASSERT_TRUE(closed);
  EXPECT_FALSE(load(*closed, "g").settings.authentication.offers_passwords);
  EXPECT_FALSE(load(*closed, "g").settings.authentication.asks_none);
  EXPECT_TRUE(load("authentication: {preset: open-root}", "f").settings.authentication.asks_none);
}

TEST(LoginRules, MistakesAreNamedWhereTheyStand) {
  struct Row {
    const char* entry;
    const char* problem;
  };
  const Row rows[] = {
      {"    - {user: root}\n", "f:3:7: authentication.rules[1]: has no action"},
      {"    - root\n", "f:3:7: authentication.rules[1]: is not {key: value"},
      {"    - {action: maybe}\n",
       "f:3:16: authentication.rules[1]: action is \"maybe\"; allowed: deny, allow"},
      {"    - {action: deny, usr: x}\n",
       "f:3:22: authentication.rules[1]: unknown key \"usr\"; did you mean user?"},
      {"    - {action: allow, user_regex: \"ab[z-a]\"}\n",
       "f:3:39: authentication.rules[1]: user_regex: invalid character class range, at character "
       "4"},
      {"    - {action: allow, password_regex: ab**}\n",
       "f:3:41: authentication.rules[1]: password_regex: bad repetition operator, at character 3"},
      {"    - {action: allow, source: [192.0.2.0/24, 192.0.2.1/24]}\n",
       "f:3:46: authentication.rules[1]: source has bits set behind its prefix"},
      {"    - {action: allow, on_try: 0}\n",
       "f:3:31: authentication.rules[1]: on_try is \"0\"; allowed: a whole number from 1"},
      {"    - {action: allow, probability: 1.5}\n",
       "probability is \"1.5\"; allowed: a number from 0 to 1"},
      {"    - {action: allow, probability: \"0.5\"}\n", "probability is \"0.5\"; allowed"},
      {"    - {action: allow, method: [password, telnet]}\n",
       "method is \"telnet\"; allowed: password"},
      {"    - {action: allow, user: a, user_regex: b}\n", "user and user_regex exclude each other"},
      {"    - {action: allow, password: a, method: none}\n", "come without a password"},
      {"    - {action: allow, key_type: a, method: password}\n", "only a key has a key_type"},
      {"    - {action: deny, on_try: 3}\n", "on_try and sticky are about letting someone in"},
      {"    - {action: deny, user: []}\n", "user has 0 items"},
      {"    - {action: deny, user: }\n", "user has no value"},
      {"    - {action: deny, name: \"a b\"}\n", "name is not a name"},
      {"    - {action: deny, name: a}\n    - {action: deny, name: a}\n",
       "f:4:7: authentication.rules[2]: a rule with this name came before"},
  };
  for (const Row& row : rows) {
    EXPECT_THAT(problems_of(row.entry), ElementsAre(HasSubstr(row.problem))) << row.entry;
  }
}

TEST(LoginRules, AnUnknownPresetIsRefused) {
  const LoadResult loaded = load("authentication: {preset: open}", "f");
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_THAT(to_string(loaded.problems[0]), HasSubstr("root-by-key"));
}

TEST(LoginRules, WithoutMethodARuleNeverLetsInByNoneOrKey) {
  LoginRule rule;
  EXPECT_TRUE(rule_covers(rule, "none"));
  EXPECT_TRUE(rule_covers(rule, "publickey"));
  rule.allow = true;
  EXPECT_TRUE(rule_covers(rule, "password"));
  EXPECT_TRUE(rule_covers(rule, "keyboard-interactive"));
  EXPECT_FALSE(rule_covers(rule, "none"));
  EXPECT_FALSE(rule_covers(rule, "publickey"));
  rule.key_types = {"ssh-rsa"};
  EXPECT_TRUE(rule_covers(rule, "publickey"));
  EXPECT_FALSE(rule_covers(rule, "password"));
}

}  // namespace
}  // namespace sandtrap::config
