#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/entropy.h"
#include "base/error.h"
#include "base/instant.h"
#include "base/log.h"

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
  EXPECT_EQ(to_iso8601(WallTime{0}), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_iso8601(WallTime{1'709'251'199'999'999}), "2024-02-29T23:59:59.999999Z");
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

TEST(Log, EscapesWhatATerminalWouldActUpon) {
  struct Row {
    std::string_view line, escaped;
  };
  const Row rows[] = {
      {"plain %s {} text", "plain %s {} text"},
      {"a\nb\r\t", "a\\x0ab\\x0d\\x09"},
      {"\x1b[2J\x07\x7f", "\\x1b[2J\\x07\\x7f"},
      {std::string_view("a\0b", 3), "a\\x00b"},
      {"\xc2\x9b"
       "6n",
       "\\xc2\\x9b6n"},
      {"\x9b"
       "6n\xff",
       "\\x9b6n\\xff"},
      {"\xe2\x80\xae"
       "x",
       "\\xe2\\x80\\xaex"},
      {"\xe2\x80\xa6 \xc3\xa4 \xe2\x82", "\xe2\x80\xa6 \xc3\xa4 \\xe2\\x82"},
  };
  for (const Row& row : rows) EXPECT_EQ(escaped_for_log(row.line), row.escaped);
}

}  // namespace sandtrap::base
