#include "base/utf8.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sandtrap::base {
namespace {

std::size_t prefix(std::string_view text) {
  return utf8_valid_prefix(as_bytes(text));
}
bool incomplete(std::string_view text) {
  return utf8_incomplete(as_bytes(text));
}

// Every code point's encoding, from the definition in RFC 3629 §3.
std::string encoded(std::uint32_t c) {
  std::string out;
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6), put(0x80 | (c & 63));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12), put(0x80 | (c >> 6 & 63)), put(0x80 | (c & 63));
  } else {
    put(0xf0 | c >> 18), put(0x80 | (c >> 12 & 63)), put(0x80 | (c >> 6 & 63));
    put(0x80 | (c & 63));
  }
  return out;
}

TEST(Utf8, EveryScalarValueIsValidAndEachOfItsBeginningsIncomplete) {
  for (std::uint32_t c = 0; c <= 0x10ffff; ++c) {
    const std::string text = encoded(c);
    if (c >= 0xd800 && c <= 0xdfff) {
      ASSERT_EQ(prefix(text), 0U) << c;  // surrogates
      continue;
    }
    ASSERT_EQ(prefix(text), text.size()) << c;
    for (std::size_t n = 1; n < text.size(); ++n) {
      ASSERT_EQ(prefix(text.substr(0, n)), 0U) << c;
      ASSERT_TRUE(incomplete(text.substr(0, n))) << c;
    }
  }
}

TEST(Utf8, RefusesWhatRfc3629Refuses) {
  for (const std::string_view bad : {"\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
                                     "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\x80", "\xff"}) {
    EXPECT_EQ(prefix(bad), 0U);
    EXPECT_FALSE(incomplete(bad));
  }
  EXPECT_FALSE(incomplete("\xed\xa0"));
  EXPECT_FALSE(incomplete("a"));
  EXPECT_FALSE(incomplete(""));
}

TEST(Utf8, FindsTheFirstBadByteAtAnyPlace) {
  EXPECT_TRUE(rc::check([](std::uint8_t before, std::uint8_t after) {
    std::string text(before, 'x');
    text += "\xff";
    text += std::string(after, 'y');
    RC_ASSERT(prefix(text) == before);
  }));
}

}  // namespace
}  // namespace sandtrap::base
