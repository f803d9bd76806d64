#include "term/safe_output.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace sandtrap::term {
namespace {

std::string shown(std::string_view bytes) {
  SafeOutput safe;
  std::string out;
  safe.feed(bytes, out);
  return out;
}

TEST(SafeOutput, TextColoursAndTheCursorPass) {
  for (const char* text :
       {"plain text\r\n\ttabs\b", "\x1b[31mred\x1b[0m", "\x1b[38;5;196m", "\x1b[38:2:1:2:3m",
        "\x1b[m", "\x1b[2J\x1b[H", "\x1b[10;20H", "\x1b[K", "\x1b[1;24r", "\x1b[?25l\x1b[?25h",
        "\x1b[?1049h", "\x1b[?7;25h", "\x1b(0lqqk\x1b(B", "\x0eqq\x0f",
        "\x1b"
        "7\x1b"
        "8\x1bM",
        "\x1b[4h\x1b[4l", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\x1b[s\x1b[u",
        "\x1b[5A\x1b[3P\x1b[2@\x1b[9X"}) {
    EXPECT_EQ(shown(text), text);
  }
}

// Each of these makes some terminal answer, remember, run, print or rename.
TEST(SafeOutput, WhatATerminalActsUponIsLeftOut) {
  for (const char* attack : {"\x1b]0;title\x07",
                             "\x1b]2;title\x1b\\",
                             "\x1b]52;c;ZWNobyBwd25lZA==\x07",
                             "\x1b]8;;http://x\x07",
                             "\x1b]50;font\x07",
                             "\x1b]1337;File=name=x:AAAA\x07",
                             "\x1b]777;notify;a;b\x07",
                             "\x1bP$q\"p\x1b\\",
                             "\x1bP+q544e\x1b\\",
                             "\x1bP1000p%exit\x1b\\",
                             "\x1b_Gi=1;AAAA\x1b\\",
                             "\x1bX sos\x1b\\",
                             "\x1b^pm\x1b\\",
                             "\x1b[c",
                             "\x1b[>c",
                             "\x1b[=c",
                             "\x1b[0c",
                             "\x1b[5n",
                             "\x1b[6n",
                             "\x1b[?6n",
                             "\x1b[?15n",
                             "\x1b[21t",
                             "\x1b[20t",
                             "\x1b[8;1;1t",
                             "\x1b[18t",
                             "\x1b[22;0t",
                             "\x1b[5i",
                             "\x1b[4i",
                             "\x1b[?5i",
                             "\x1b[x",
                             "\x1b[1;1;1;1;1;1*y",
                             "\x1b[?1000h",
                             "\x1b[?1002;1006h",
                             "\x1b[?1004h",
                             "\x1b[?2004h",
                             "\x1b[?25;1000h",
                             "\x1b[?5h",
                             "\x1b[?3h",
                             "\x1b[1;2;3;4;5T",
                             "\x1b[!p",
                             "\x1b[>4;2m",
                             "\x1b[?4m",
                             "\x1b[>0q",
                             "\x1b[ q",
                             "\x1b[$p",
                             "\x1b[?2026$p",
                             "\x1b[20h",
                             "\x1b[2h",
                             "\x1b[99999999A",
                             "\x1b[99999b",
                             "\x1b"
                             "c",
                             "\x1b#8",
                             "\x1b=",
                             "\x1b>",
                             "\x1bZ",
                             "\x1b%G",
                             "\x1bn",
                             "\x1b(A",
                             "\x1b*0",
                             "\x05",
                             "\x07",
                             "\x11",
                             "\x13",
                             "\x7f",
                             "\x1b[>1u",
                             "\x1b[?u"}) {
    const std::string out = shown(attack);
    EXPECT_EQ(out.find('\x1b'), std::string::npos) << attack + 1;
    EXPECT_EQ(out.find_first_of("\x05\x07\x11\x13\x7f"), std::string::npos) << attack + 1;
    EXPECT_LE(out.size(), 2U) << attack + 1;
  }
}

TEST(SafeOutput, EightBitControlsAndTricksOfDirectionAreShownAsUnknown) {
  constexpr char kUnknown[] = "\xEF\xBF\xBD";
  EXPECT_EQ(shown("\x9b"
                  "31m"),
            std::string(kUnknown) + "31m");  // CSI in eight bits
  EXPECT_EQ(shown("\xc2\x9b"
                  "6n"),
            std::string(kUnknown) + "6n");  // and in UTF-8
  EXPECT_EQ(shown("\xc2\x90"), kUnknown);
  EXPECT_EQ(shown("\xe2\x80\xae"), kUnknown);  // RIGHT-TO-LEFT OVERRIDE
  EXPECT_EQ(shown("\xe2\x81\xa6"), kUnknown);
  EXPECT_EQ(shown("\xff\xc0\x80"), std::string(kUnknown) + kUnknown + kUnknown);
  EXPECT_EQ(shown("\xe2\x82x"), std::string(kUnknown) + "x");
  EXPECT_EQ(shown("\xed\xa0\x80"), kUnknown);  // a surrogate
}

TEST(SafeOutput, ASequenceInsideAnotherHidesNothing) {
  EXPECT_EQ(shown("\x1b[3\x1b]0;x\x07"
                  "1mred"),
            "1mred");
  EXPECT_EQ(shown("\x1b]0;a\x1b[31mb"), "\x1b[31mb");
  EXPECT_EQ(shown("\x1b[3\n1m"), "\n\x1b[31m");  // as a terminal does it
  EXPECT_EQ(shown("\x1b[3\x18"
                  "1m"),
            "1m");
  EXPECT_EQ(shown("\x1b\x1b]0;x\x07y"), "y");
  EXPECT_EQ(shown("\x1b]0;never ended"), "");
}

TEST(SafeOutput, AStringThatNeverEndsHidesNoMoreThan64KiB) {
  const std::string out = shown("\x1b]0;" + std::string(70'000, 'x') + "seen");
  EXPECT_LT(out.size(), 5000U);
  EXPECT_TRUE(out.ends_with("xseen"));
}

TEST(SafeOutput, CountsWhatItLeftOut) {
  SafeOutput safe;
  std::string out;
  safe.feed("a\x1b]0;t\x07\x07\x1b[6n\x1b[31mb", out);
  EXPECT_EQ(out, "a\x1b[31mb");
  EXPECT_EQ(safe.left_out(), 3U);
}

TEST(SafeOutput, ItsOwnResetPasses) {
  EXPECT_EQ(shown(SafeOutput::reset()), SafeOutput::reset());
}

const auto kBytes =
    rc::gen::oneOf(rc::gen::arbitrary<char>(),
                   rc::gen::elementOf(std::string("\x1b\x1b\x1b[]P_;?0123456789hlmcn\\\x07")));

// Chunks are the network's accident.
RC_GTEST_PROP(SafeOutput, ByteByByteIsTheSame, ()) {
  const auto bytes = *rc::gen::container<std::string>(kBytes);
  SafeOutput safe;
  std::string out;
  for (const char byte : bytes) safe.feed({&byte, 1}, out);
  RC_ASSERT(out == shown(bytes));
}

// What came out contains nothing that a second look would leave out.
RC_GTEST_PROP(SafeOutput, WhatPassedPassesAgain, ()) {
  const std::string once = shown(*rc::gen::container<std::string>(kBytes));
  RC_ASSERT(shown(once) == once);
}

}  // namespace
}  // namespace sandtrap::term
