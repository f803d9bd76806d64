#include "warden/login_memory.h"

#include <gtest/gtest.h>

namespace sandtrap::warden {
namespace {

TEST(LoginMemory, ARecordRoundTripsAndNonsenseIsRefused) {
  SavedRecord record{"case", 3, {77}, {}};
  Fingerprint user{}, secret{};
  user[0] = 255;
  secret[15] = 1;
  record.earned.push_back({user, secret, true, {99}});
  const auto back = record_from_text("case", to_text(record));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->record, "case");
  EXPECT_EQ(back->failures, 3U);
  EXPECT_EQ(back->until.micros, 77);
  ASSERT_EQ(back->earned.size(), 1U);
  EXPECT_EQ(back->earned[0].user, user);
  EXPECT_EQ(back->earned[0].secret, secret);
  EXPECT_TRUE(back->earned[0].key);
  EXPECT_EQ(back->earned[0].until.micros, 99);
  for (const char* bad :
       {"", "[]", "{\"earned\":[{}]}", "{\"earned\":[{\"user\":[1],\"secret\":[2]}]}"}) {
    EXPECT_FALSE(record_from_text("x", bad)) << bad;
  }
}

}  // namespace
}  // namespace sandtrap::warden
