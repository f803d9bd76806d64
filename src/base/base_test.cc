#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/entropy.h"
#include "base/error.h"
#include "base/instant.h"

namespace sandtrap::base {

TEST(Bytes, Base64FollowsRfc4648Section10) {
  EXPECT_EQ(to_base64(as_bytes(""), true), "");
  EXPECT_EQ(to_base64(as_bytes("f"), true), "Zg==");
  EXPECT_EQ(to_base64(as_bytes("fo"), true), "Zm8=");
  EXPECT_EQ(to_base64(as_bytes("foo"), true), "Zm9v");
  EXPECT_EQ(to_base64(as_bytes("fooba"), false), "Zm9vYmE");
}

TEST(Bytes, HexIsLowerCase) {
  EXPECT_EQ(to_hex(Bytes{0x00, 0xab, 0xff}), "00abff");
}

TEST(WallTime, IsPrintedWithMicrosecondsInUtc) {
  EXPECT_EQ(to_iso8601(WallTime{1'000'000'000'000'042}), "2001-09-09T01:46:40.000042Z");
}

TEST(Entropy, IdsHaveTheAskedLengthAndDiffer) {
  SystemEntropy entropy;
  const std::string a = random_id(entropy, 12);
  EXPECT_EQ(a.size(), 12U);
  EXPECT_NE(a, random_id(entropy, 12));
}

TEST(Error, WrapPutsContextInFront) {
  const Status status = wrap("allocate", Error{Errc::kIo, "no space"});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().context, "allocate: no space");
  EXPECT_EQ(status.error().code, Errc::kIo);
}

}  // namespace sandtrap::base
