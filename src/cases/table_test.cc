#include "cases/table.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>

namespace sandtrap::cases {
namespace {

constexpr base::WallTime kNow{1'000'000};

Key source(const std::string& ip) {
  return {KeyKind::kSource, ip};
}

class CaseTable : public ::testing::Test {
 protected:
  std::string open(const std::string& ip) { return table.open({source(ip)}, ip, kNow).id; }
  std::string visit(const std::string& ip) {
    const std::string id = open(ip);
    table.close(id, kNow);
    return id;
  }
  std::optional<Match> login(const std::string& id, const std::string& user,
                             const std::string& password) {
    const Key key = credential_key(user, password);
    table.tried(id, key);
    return table.lead(id, {key});
  }

  base::SystemEntropy entropy;
  Table table{{}, entropy};
};

TEST_F(CaseTable, AnAddressLeadsToItsCase) {
  const std::string one = open("192.0.2.1");
  EXPECT_EQ(one.size(), 12U);
  EXPECT_EQ(open("192.0.2.1"), one);
  EXPECT_NE(open("192.0.2.2"), one);
  EXPECT_EQ(table.sessions(one), 2U);
  EXPECT_EQ(table.find(one)->visits, 2U);
}

TEST_F(CaseTable, AStolenPasswordLeadsToTheCaseThatEarnedIt) {
  const std::string cracker = open("192.0.2.1");
  table.earn(cracker, {"root", "Xk9!w", kNow});
  const std::string buyer = open("198.51.100.9");
  EXPECT_FALSE(login(buyer, "root", "123456"));
  const auto lead = login(buyer, "root", "Xk9!w");
  ASSERT_TRUE(lead);
  EXPECT_EQ(lead->id, cracker);
  EXPECT_EQ(lead->by, KeyKind::kCredential);
  table.move(buyer, cracker, source("198.51.100.9"), kNow);
  EXPECT_EQ(table.find(buyer), nullptr);  // nothing was in it
  EXPECT_EQ(table.sessions(cracker), 2U);
  EXPECT_EQ(visit("198.51.100.9"), cracker);  // from now on the address leads there
}

TEST_F(CaseTable, AnEstablishedCaseStaysWhoItIsUnlessCredentialsComeFirst) {
  const std::string one = open("192.0.2.1");
  table.earn(one, {"root", "secret", kNow});
  const std::string two = open("192.0.2.2");
  table.establish(two, {});
  EXPECT_FALSE(login(two, "root", "secret"));
  table.configure({{KeyKind::kCredential, KeyKind::kSource}, 100});
  const auto lead = login(two, "root", "secret");
  ASSERT_TRUE(lead);
  table.move(two, lead->id, source("192.0.2.2"), kNow);
  EXPECT_NE(table.find(two), nullptr);
  EXPECT_EQ(visit("192.0.2.2"), two);  // its address stays its own
}

TEST_F(CaseTable, WhatEverybodyGuessesLeadsNowhere) {
  const std::string one = open("192.0.2.1");
  table.earn(one, {"root", "123456", kNow});
  login(one, "root", "123456");
  bool led = true;
  for (int i = 0; i < 5; ++i) {
    led = login(open("198.51.100." + std::to_string(i)), "root", "123456").has_value();
  }
  EXPECT_FALSE(led);
}

TEST_F(CaseTable, AChangedPasswordNoLongerLeads) {
  const std::string one = open("192.0.2.1");
  table.earn(one, {"root", "old", kNow});
  table.earn(one, {"root", "new", kNow});
  const std::string other = open("192.0.2.2");
  EXPECT_FALSE(login(other, "root", "old"));
  EXPECT_TRUE(login(other, "root", "new"));
}

TEST_F(CaseTable, EvictsTheUnimportantFirstAndNeverOneInUse) {
  table.configure({{KeyKind::kSource, KeyKind::kCredential}, 5});
  const std::string busy = open("192.0.2.1");
  const std::string earned = visit("192.0.2.2");
  table.earn(earned, {"root", "x", kNow});
  const std::string preserved = visit("192.0.2.3");
  table.establish(preserved, {});
  table.note(preserved, {"0123456789ab", SandboxState::kPreserved, "/p/0123456789ab", 1});
  const std::string running = visit("192.0.2.4");
  table.note(running, {"0123456789ac", SandboxState::kFrozen, "", 0});
  for (int i = 0; i < 10; ++i) visit("198.51.100." + std::to_string(i));  // a hostile crowd
  for (const std::string& id : {busy, earned, preserved, running}) EXPECT_TRUE(table.find(id));
  const std::string second = open("203.0.113.1");  // in the place of the last of them
  EXPECT_TRUE(table.find(second));
  EXPECT_TRUE(table.find(earned));
  open("203.0.113.4");  // busy as well: something else has to go
  EXPECT_FALSE(table.find(earned));
  open("203.0.113.2");
  EXPECT_FALSE(table.find(preserved));
  open("203.0.113.3");
  EXPECT_TRUE(table.find(running));
  EXPECT_TRUE(table.find(busy));
}

TEST_F(CaseTable, APreservedSandboxThatIsLostIsForgotten) {
  const std::string one = visit("192.0.2.1");
  table.note(one, {"0123456789ab", SandboxState::kPreserved, "/p/0123456789ab", 1});
  table.lost("/p/other");
  EXPECT_EQ(table.find(one)->sandbox.state, SandboxState::kPreserved);
  table.lost("/p/0123456789ab");
  EXPECT_EQ(table.find(one)->sandbox.state, SandboxState::kNone);
}

TEST(CaseTableProperty, EachKeyLeadsToOneCaseAndTheBoundHolds) {
  EXPECT_TRUE(rc::check([] {
    base::SystemEntropy entropy;
    const std::size_t most = *rc::gen::inRange<std::size_t>(1, 8);
    Table table({{KeyKind::kSource, KeyKind::kCredential}, most}, entropy);
    std::multiset<std::string> sessions;
    for (const int step : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 600))) {
      const std::string ip = "192.0.2." + std::to_string(step % 20);
      const int what = step / 100;
      if (what <= 1) {
        sessions.insert(table.open({source(ip)}, ip, kNow).id);
      } else if (!sessions.empty()) {
        const auto at = std::next(sessions.begin(), step % static_cast<int>(sessions.size()));
        const std::string id = *at;
        if (what == 2) {
          table.close(id, kNow);
          sessions.erase(at);
        } else if (what == 3) {
          table.earn(id, {"root", std::to_string(step % 7), kNow});
        } else if (const auto lead =
                       table.lead(id, {credential_key("root", std::to_string(step % 7))})) {
          table.move(id, lead->id, source(ip), kNow);
          sessions.erase(at);
          sessions.insert(lead->id);
        }
      }
      std::set<Key> seen;
      std::size_t open = 0;
      for (const std::string& id : table.ids()) {
        for (const Key& key : table.find(id)->keys) RC_ASSERT(seen.insert(key).second);
        RC_ASSERT(table.sessions(id) == sessions.count(id));
        open += table.sessions(id) > 0 ? 1U : 0U;
      }
      RC_ASSERT(table.size() <= std::max(most, open));
    }
  }));
}

}  // namespace
}  // namespace sandtrap::cases
