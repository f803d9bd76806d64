#include "ssh/channel.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ssh/channel_fixture_test.h"

namespace sandtrap::ssh {
namespace {

TEST_F(ChannelTest, OutputIsCutIntoBlocks) {
  profile_.output_block = 4;
  open();
  EXPECT_EQ(connection().room(0), 0U);  // nothing runs
  run();
  EXPECT_EQ(output("abcdefghi"), (Lines{"DATA 7 abcd", "DATA 7 efgh", "DATA 7 i"}));
  EXPECT_EQ(output("oops!", Stream::kError), (Lines{"ERROR 7 1 oops", "ERROR 7 1 !"}));
}

TEST_F(ChannelTest, OutputNeverExceedsThePeersLimits) {
  open(10, 3);
  run();
  EXPECT_EQ(connection().room(0), 10U);
  EXPECT_EQ(output("0123456789ABC"), (Lines{"DATA 7 012", "DATA 7 345", "DATA 7 678", "DATA 7 9"}));
  EXPECT_EQ(connection().room(0), 0U);
  EXPECT_EQ(output("x"), Lines{});
  after(Writer(message::kChannelWindowAdjust).u32(0).u32(2));
  EXPECT_EQ(connection().room(0), 2U);
  EXPECT_EQ(output("xyz"), Lines{"DATA 7 xy"});
}

TEST_F(ChannelTest, ClientWithoutPacketSizeGetsNothing) {
  open(10, 0);
  run();
  EXPECT_EQ(connection().room(0), 0U);
  EXPECT_EQ(output("x"), Lines{});
}

TEST_F(ChannelTest, WindowGrowsAfterEveryFourthFullPacket) {
  open();
  run();
  Lines all;
  for (int i = 0; i < 8; ++i) {
    after(data(32768));
    const auto input = take_event<ChannelInput>(events_);
    EXPECT_EQ(input.data.size(), 32768U);
    connection().consumed(0, input.data.size());
    for (std::string& line : taken()) all.push_back(std::to_string(i) + " " + line);
  }
  EXPECT_EQ(all, (Lines{"3 ADJUST 7 131072", "7 ADJUST 7 131072"}));
}

TEST_F(ChannelTest, WindowGrowsOnlyByWhatWasConsumed) {
  open();
  run();
  for (int i = 0; i < 20; ++i) after(data(32768));
  EXPECT_EQ(events_.size(), 20U);
  EXPECT_EQ(taken(), Lines{});
  connection().consumed(0, 1);
  EXPECT_EQ(taken(), Lines{"ADJUST 7 1"});
  connection().consumed(0, 1U << 30);  // more than there is
  EXPECT_EQ(taken(), Lines{fmt::format("ADJUST 7 {}", 20 * 32768 - 1)});
}

TEST_F(ChannelTest, DataBeyondPacketSizeOrWindowIsDropped) {
  profile_.window = 40000;
  open();
  run();
  EXPECT_EQ(after(data(32769)), Lines{});
  EXPECT_TRUE(events_.empty());
  after(data(32768));
  after(data(32768));
  EXPECT_EQ(events_.size(), 1U);
  after(data(40000 - 32768));
  EXPECT_EQ(events_.size(), 2U);
}

TEST_F(ChannelTest, DataBeforeStartIsSwallowedUnread) {
  open();
  EXPECT_EQ(after(data(10)), Lines{});
  EXPECT_EQ(after(Writer(message::kChannelData).u32(0)), Lines{});  // even truncated
  EXPECT_EQ(after(Writer(message::kChannelExtendedData).u32(0)), Lines{});
  EXPECT_TRUE(events_.empty());
}

TEST_F(ChannelTest, ExtendedDataFromTheClient) {
  open();
  run();
  const Writer extended = Writer(message::kChannelExtendedData).u32(0).u32(1).string("x");
  EXPECT_EQ(after(extended), Lines{});
  EXPECT_TRUE(events_.empty());
  EXPECT_EQ(after(Writer(message::kChannelExtendedData).u32(0).byte(1)),
            Lines{"DISCONNECT Invalid extended_data message"});
  after(Writer(message::kChannelEof).u32(0));
  EXPECT_EQ(after(extended), Lines{"DISCONNECT Received extended_data after EOF on channel 0."});
}

TEST_F(ChannelTest, EndWithoutClientEof) {
  open();
  run();
  EXPECT_EQ(finish(), (Lines{"EOF 7", "EXIT-STATUS 7 false 0", "REQUEST 7 false eow@openssh.com",
                             "CLOSE 7"}));
  events_.clear();
  EXPECT_EQ(after(Writer(message::kChannelClose).u32(0)), Lines{});
  EXPECT_EQ(take_event<ChannelClosed>(events_).channel, 0U);
}

TEST_F(ChannelTest, EndAfterClientEofHasNoEow) {
  open();
  run();
  after(Writer(message::kChannelEof).u32(0));
  EXPECT_FALSE(take_event<ChannelEof>(events_).closed);
  EXPECT_EQ(finish(ExitStatus{7}), (Lines{"EOF 7", "EXIT-STATUS 7 false 7", "CLOSE 7"}));
}

TEST_F(ChannelTest, EndWithUnreadInputHasEow) {
  open();
  run();
  after(data(5));
  after(Writer(message::kChannelEof).u32(0));
  EXPECT_EQ(finish(), (Lines{"EOF 7", "EXIT-STATUS 7 false 0", "REQUEST 7 false eow@openssh.com",
                             "CLOSE 7"}));
}

TEST_F(ChannelTest, OtherClientsGetNoEow) {
  software_ = "PuTTY_Release_0.78";
  open();
  run();
  EXPECT_EQ(finish(ExitSignal{"TERM", false}),
            (Lines{"EOF 7", "EXIT-SIGNAL 7 false TERM false", "CLOSE 7"}));
}

TEST_F(ChannelTest, ExitWaitsAMomentForTheEndOfOutput) {
  open();
  run();
  connection().exited(0, ExitStatus{0});
  EXPECT_EQ(taken(), Lines{});
  output("late");
  ASSERT_TRUE(connection().deadline());
  connection().output_eof(0);
  EXPECT_EQ(taken(), (Lines{"EOF 7", "EXIT-STATUS 7 false 0", "REQUEST 7 false eow@openssh.com",
                            "CLOSE 7"}));
}

TEST_F(ChannelTest, StatusOvertakesTheEofWhereTheRaceSaysSo) {
  profile_.status_first_output = 1000;
  for (const bool exit_first : {true, false}) {
    connection_.reset();
    open();
    run();
    if (exit_first) connection().exited(0, ExitStatus{0});
    connection().output_eof(0, 5);
    if (!exit_first) {
      EXPECT_EQ(taken(), Lines{});  // held for the exit
      ASSERT_TRUE(connection().deadline());
      connection().exited(0, ExitStatus{0});
    }
    EXPECT_EQ(taken(), (Lines{"EXIT-STATUS 7 false 0", "REQUEST 7 false eow@openssh.com", "EOF 7",
                              "CLOSE 7"}));
  }
}

TEST_F(ChannelTest, ATerminalsEndHasAChanceOfItsOwn) {
  profile_.status_first_terminal = 1000;
  for (const bool terminal : {true, false}) {
    connection_.reset();
    open();
    if (terminal) after(pty());
    run();
    connection().exited(0, ExitStatus{0});
    connection().output_eof(0, 5);
    const Lines lines = taken();
    ASSERT_FALSE(lines.empty());
    EXPECT_EQ(lines.front(), terminal ? "EXIT-STATUS 7 false 0" : "EOF 7");
  }
}

TEST_F(ChannelTest, AHeldEofComesAloneWhereTheProgramGoesOn) {
  using namespace std::chrono_literals;
  profile_.status_first_bulk = 1000;
  open();
  run();
  connection().output_eof(0, profile_.bulk_output);
  const Instant now{1h};
  connection().tick(now);
  EXPECT_EQ(taken(), Lines{});
  connection().tick(*connection().deadline());
  EXPECT_EQ(taken(), Lines{"EOF 7"});
  EXPECT_FALSE(connection().deadline());
  connection().exited(0, ExitStatus{3});
  EXPECT_EQ(taken(),
            (Lines{"EXIT-STATUS 7 false 3", "REQUEST 7 false eow@openssh.com", "CLOSE 7"}));
}

TEST_F(ChannelTest, ExitIsToldThoughABackgroundProcessHoldsTheOutput) {
  using namespace std::chrono_literals;
  open();
  run();
  connection().exited(0, ExitStatus{0});
  const Instant now{1h};
  connection().tick(now);  // starts the wait
  EXPECT_EQ(taken(), Lines{});
  ASSERT_GT(*connection().deadline(), now);
  connection().tick(*connection().deadline());
  EXPECT_EQ(taken(), (Lines{"EXIT-STATUS 7 false 0", "REQUEST 7 false eow@openssh.com"}));
  EXPECT_FALSE(connection().deadline());
  EXPECT_EQ(output("still here"), Lines{"DATA 7 still here"});
  connection().output_eof(0);
  EXPECT_EQ(taken(), (Lines{"EOF 7", "CLOSE 7"}));
}

TEST_F(ChannelTest, ClientCloseWhileRunning) {
  open();
  run();
  EXPECT_EQ(after(Writer(message::kChannelClose).u32(0)), Lines{});
  EXPECT_TRUE(take_event<ChannelEof>(events_).closed);
  EXPECT_GT(connection().room(0), 0U);  // what the program still writes is dropped
  EXPECT_EQ(output("nobody hears"), Lines{});
  connection().output_eof(0);
  connection().exited(0, ExitSignal{"HUP", false});
  EXPECT_EQ(taken(), (Lines{"EXIT-SIGNAL 7 false HUP false", "CLOSE 7"}));
  connection().collect();
  EXPECT_EQ(take_event<ChannelClosed>(events_).channel, 0U);
}

TEST_F(ChannelTest, ClientEowClosesTheOutputOnly) {
  open();
  run();
  EXPECT_EQ(after(request("eow@openssh.com", false)), Lines{});
  EXPECT_TRUE(take_event<ChannelEof>(events_).closed);
  after(data(10));
  EXPECT_TRUE(events_.empty());
  EXPECT_EQ(output("x"), Lines{});
  EXPECT_EQ(
      finish(ExitSignal{"PIPE", false}),
      (Lines{"EXIT-SIGNAL 7 false PIPE false", "REQUEST 7 false eow@openssh.com", "CLOSE 7"}));
}

TEST_F(ChannelTest, ClosedStdinSendsEowAndKeepsTheWindowMoving) {
  open();
  run();
  connection().input_closed(0);
  EXPECT_EQ(taken(), Lines{"REQUEST 7 false eow@openssh.com"});
  Lines all;
  for (int i = 0; i < 4; ++i) all = after(data(32768));
  EXPECT_EQ(all, Lines{"ADJUST 7 131072"});
  EXPECT_TRUE(events_.empty());
  EXPECT_EQ(finish(), (Lines{"EOF 7", "EXIT-STATUS 7 false 0", "CLOSE 7"}));
}

TEST_F(ChannelTest, EofBeforeStartReachesNoProgram) {
  open();
  EXPECT_EQ(after(Writer(message::kChannelEof).u32(0)), Lines{});
  run();
  after(data(1));
  EXPECT_TRUE(events_.empty());
  EXPECT_EQ(finish(), (Lines{"EOF 7", "EXIT-STATUS 7 false 0", "CLOSE 7"}));
}

TEST_F(ChannelTest, CallsForUnknownChannelsDoNothing) {
  open();
  connection().submit_program(0, true);  // not asked for
  connection().submit_program(9, true);
  connection().output(3, Stream::kOutput, base::as_bytes("x"));
  connection().consumed(3, 1);
  connection().output_eof(0);
  connection().exited(0, ExitStatus{1});
  connection().input_closed(0);
  connection().exited(4, ExitStatus{1});
  EXPECT_EQ(connection().room(5), 0U);
  EXPECT_EQ(taken(), Lines{});
}

}  // namespace
}  // namespace sandtrap::ssh
