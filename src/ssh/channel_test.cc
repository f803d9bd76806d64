#include "ssh/channel.h"

#include <gtest/gtest.h>

#include "ssh/channel_requests.h"
#include "ssh/connection.h"
#include "ssh/connection_recorder_test.h"

namespace sandtrap::ssh {
namespace {

const std::vector<HostKey> kNoKeys;

// One session, number 0 here and 7 at the client.
class ChannelTest : public ::testing::Test {
 protected:
  ChannelTest() { profile_.window = 1000000; }

  Connection& connection() {
    if (!connection_) {
      connection_.emplace(profile_, kNoKeys, sink_, events_,
                          ConnectionPeer{user_, software_, {}, "ssh-ed25519", ""});
    }
    return *connection_;
  }
  Lines after(const Writer& w) {
    payload_ = w.bytes();
    connection().handle(Packet{1, payload_});
    return sink_.take();
  }
  void open(std::uint32_t window = 1U << 20, std::uint32_t max_packet = 32768) {
    after(Writer(message::kChannelOpen).string("session").u32(7).u32(window).u32(max_packet));
    events_.clear();
  }
  static Writer request(std::string_view type, bool want_reply = true) {
    Writer w(message::kChannelRequest);
    w.u32(0).string(type).boolean(want_reply);
    return w;
  }
  void run(const Writer& program = request("exec").string("cat")) {
    after(program);
    events_.clear();
    connection().submit_program(0, true);
    sink_.take();
  }
  static Writer data(std::size_t size) {
    Writer w(message::kChannelData);
    w.u32(0).string(std::string(size, 'x'));
    return w;
  }
  Lines output(std::string_view text, Stream stream = Stream::kOutput) {
    connection().output(0, stream, base::as_bytes(text));
    return sink_.take();
  }
  Lines finish(const Exit& exit = ExitStatus{0}) {
    connection().output_eof(0);
    connection().exited(0, exit);
    return sink_.take();
  }
  static Writer pty(std::string_view modes = std::string_view("\x80\0\0\x96\0\0", 6)) {
    return request("pty-req").string("xterm").u32(80).u32(24).u32(640).u32(480).string(modes);
  }

  Profile profile_;
  PacketRecorder sink_;
  std::vector<Event> events_;
  std::string user_ = "admin", software_ = "OpenSSH_9.2p1";
  std::optional<Connection> connection_;
  Bytes payload_;
};

TEST_F(ChannelTest, ProgramStartGrowsTheWindowThenSucceeds) {
  open();
  EXPECT_EQ(after(request("exec").string("id")), Lines{});
  EXPECT_TRUE(connection().waiting());
  const auto program = take_event<ProgramRequest>(events_);
  EXPECT_EQ(program.kind, ProgramKind::kExec);
  EXPECT_EQ(program.command, "id");
  EXPECT_FALSE(connection().session_started());
  connection().submit_program(0, true);
  EXPECT_EQ(sink_.take(), (Lines{"ADJUST 7 1000000", "SUCCESS 7"}));
  EXPECT_TRUE(connection().session_started());
  EXPECT_FALSE(connection().waiting());
}

TEST_F(ChannelTest, ProgramStartWithoutReplyOnlyGrowsTheWindow) {
  open();
  after(request("shell", false));
  connection().submit_program(0, true);
  EXPECT_EQ(sink_.take(), Lines{"ADJUST 7 1000000"});
}

TEST_F(ChannelTest, FailedSubsystemLeavesTheChannelUsable) {
  open();
  after(request("subsystem").string("sftp"));
  connection().submit_program(0, false);
  EXPECT_EQ(sink_.take(), Lines{"FAILURE 7"});
  after(request("shell"));
  connection().submit_program(0, true);
  EXPECT_EQ(sink_.take(), (Lines{"ADJUST 7 1000000", "SUCCESS 7"}));
}

TEST_F(ChannelTest, RequestsOnARunningChannel) {
  open();
  run();
  for (const char* type : {"shell", "exec", "subsystem", "pty-req", "env", "x11-req", "?",
                           "auth-agent-req@openssh.com", "keepalive@openssh.com"}) {
    EXPECT_EQ(after(request(type)), Lines{"FAILURE 7"}) << type;  // fields are not even read
    EXPECT_EQ(after(request(type, false)), Lines{}) << type;
  }
}

TEST_F(ChannelTest, PtyRequest) {
  open();
  EXPECT_EQ(after(pty()), Lines{"SUCCESS 7"});
  const auto request = take_event<PtyRequest>(events_);
  EXPECT_EQ(request.term, "xterm");
  EXPECT_EQ(request.columns, 80U);
  EXPECT_EQ(request.rows, 24U);
  EXPECT_EQ(request.width_px, 640U);
  EXPECT_EQ(request.height_px, 480U);
  EXPECT_EQ(request.modes.size(), 6U);
  EXPECT_EQ(after(pty()), Lines{"DISCONNECT Protocol error: you already have a pty."});
}

TEST_F(ChannelTest, TerminalModes) {
  const auto valid = [](std::string_view modes) {
    return valid_terminal_modes(base::as_bytes(modes));
  };
  using std::string_view;
  EXPECT_TRUE(valid(""));
  EXPECT_TRUE(valid(string_view("\0", 1)));
  EXPECT_TRUE(valid(string_view("\x01\0\0\0\x03\0", 6)));
  EXPECT_TRUE(valid(string_view("\0junk", 5)));
  EXPECT_TRUE(valid("\xa0"));
  EXPECT_TRUE(valid(string_view("\x9f\0\0\0\x03\xff", 6)));
  EXPECT_TRUE(valid(string_view("\x01\0\0\0\x03", 5)));  // no TTY_OP_END
  EXPECT_TRUE(valid(string_view("\x9f\0\0\0\x01", 5)));
  for (const string_view bad : {string_view("\x01\0\0", 3), string_view("\x80\0\0", 3),
                                string_view("\x7f"), string_view("\x14\0", 2)}) {
    EXPECT_FALSE(valid(bad)) << base::to_hex(base::as_bytes(bad));
  }
  open();
  EXPECT_EQ(after(pty("\x01")), Lines{"CLOSE_SILENTLY"});
}

TEST_F(ChannelTest, EnvIsTakenByPattern) {
  open();
  EXPECT_EQ(after(request("env").string("LANG").string("C")), Lines{"SUCCESS 7"});
  EXPECT_EQ(after(request("env").string("LC_ALL").string("C")), Lines{"SUCCESS 7"});
  EXPECT_EQ(after(request("env").string("LD_PRELOAD").string("x")), Lines{"FAILURE 7"});
  EXPECT_EQ(after(request("env").string("LANGUAGE").string("x")), Lines{"FAILURE 7"});
  EXPECT_TRUE(take_event<EnvRequest>(events_).accepted);
  EXPECT_EQ(take_event<EnvRequest>(events_).name, "LC_ALL");
  EXPECT_FALSE(take_event<EnvRequest>(events_).accepted);
}

TEST_F(ChannelTest, EnvIsLimitedInNumber) {
  open();
  Lines all;
  for (int i = 0; i < 140; ++i) {
    const Lines lines = after(request("env").string("LC_X").string("C"));
    all.insert(all.end(), lines.begin(), lines.end());
  }
  EXPECT_EQ(std::count(all.begin(), all.end(), "SUCCESS 7"), 129);
}

TEST_F(ChannelTest, WindowChangeAlwaysSucceeds) {
  open();
  const Writer change = request("window-change").u32(100).u32(40).u32(0).u32(0);
  EXPECT_EQ(after(change), Lines{"SUCCESS 7"});
  EXPECT_TRUE(events_.empty());  // no pty
  after(pty());
  events_.clear();
  run(request("shell"));
  EXPECT_EQ(after(change), Lines{"SUCCESS 7"});
  EXPECT_EQ(take_event<WindowChange>(events_).columns, 100U);
}

TEST_F(ChannelTest, SignalsReachARunningProgramOnly) {
  open();
  EXPECT_EQ(after(request("signal").string("TERM")), Lines{"FAILURE 7"});
  EXPECT_EQ(take_event<OtherChannelRequest>(events_).type, "signal");
  run();
  EXPECT_EQ(after(request("signal").string("TERM")), Lines{"SUCCESS 7"});
  EXPECT_EQ(take_event<SignalRequest>(events_).name, "TERM");
  for (const char* name : {"STOP", "SIGTERM", "term", "9", "INFO", ""}) {
    EXPECT_EQ(after(request("signal").string(name)), Lines{"FAILURE 7"}) << name;
  }
  finish();
  EXPECT_EQ(after(request("signal").string("KILL")), Lines{});  // CLOSE is out
}

TEST_F(ChannelTest, RootsSignalsAreRefused) {
  user_ = "root";
  open();
  run();
  EXPECT_EQ(after(request("signal").string("TERM")), Lines{"FAILURE 7"});
}

TEST_F(ChannelTest, SubsystemsGetNoSignals) {
  open();
  run(request("subsystem").string("sftp"));
  EXPECT_EQ(after(request("signal").string("TERM")), Lines{"FAILURE 7"});
}

TEST_F(ChannelTest, BreakNeedsARunningPty) {
  open();
  EXPECT_EQ(after(request("break").u32(500)), Lines{"FAILURE 7"});
  after(pty());
  EXPECT_EQ(after(request("break").u32(500)), Lines{"FAILURE 7"});
  run(request("shell"));
  EXPECT_EQ(after(request("break").u32(500)), Lines{"SUCCESS 7"});
  EXPECT_EQ(take_event<BreakRequest>(events_).milliseconds, 500U);
}

TEST_F(ChannelTest, AgentOnceX11Never) {
  open();
  EXPECT_EQ(after(request("auth-agent-req@openssh.com")), Lines{"SUCCESS 7"});
  EXPECT_EQ(after(request("auth-agent-req@openssh.com")), Lines{"FAILURE 7"});
  EXPECT_EQ(after(request("x11-req").boolean(false).string("MIT").string("c").u32(0)),
            (Lines{"DEBUG No xauth program; cannot forward X11.", "FAILURE 7"}));
}

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
    for (std::string& line : sink_.take()) all.push_back(std::to_string(i) + " " + line);
  }
  EXPECT_EQ(all, (Lines{"3 ADJUST 7 131072", "7 ADJUST 7 131072"}));
}

TEST_F(ChannelTest, WindowGrowsOnlyByWhatWasConsumed) {
  open();
  run();
  for (int i = 0; i < 20; ++i) after(data(32768));
  EXPECT_EQ(events_.size(), 20U);
  EXPECT_EQ(sink_.take(), Lines{});
  connection().consumed(0, 1);
  EXPECT_EQ(sink_.take(), Lines{"ADJUST 7 1"});
  connection().consumed(0, 1U << 30);  // more than there is
  EXPECT_EQ(sink_.take(), Lines{fmt::format("ADJUST 7 {}", 20 * 32768 - 1)});
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
  EXPECT_EQ(sink_.take(), Lines{});
  output("late");
  ASSERT_TRUE(connection().deadline());
  connection().output_eof(0);
  EXPECT_EQ(sink_.take(), (Lines{"EOF 7", "EXIT-STATUS 7 false 0",
                                 "REQUEST 7 false eow@openssh.com", "CLOSE 7"}));
}

TEST_F(ChannelTest, ExitIsToldThoughABackgroundProcessHoldsTheOutput) {
  using namespace std::chrono_literals;
  open();
  run();
  connection().exited(0, ExitStatus{0});
  const Instant now{1h};
  connection().tick(now);  // starts the wait
  EXPECT_EQ(sink_.take(), Lines{});
  ASSERT_GT(*connection().deadline(), now);
  connection().tick(*connection().deadline());
  EXPECT_EQ(sink_.take(), (Lines{"EXIT-STATUS 7 false 0", "REQUEST 7 false eow@openssh.com"}));
  EXPECT_FALSE(connection().deadline());
  EXPECT_EQ(output("still here"), Lines{"DATA 7 still here"});
  connection().output_eof(0);
  EXPECT_EQ(sink_.take(), (Lines{"EOF 7", "CLOSE 7"}));
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
  EXPECT_EQ(sink_.take(), (Lines{"EXIT-SIGNAL 7 false HUP false", "CLOSE 7"}));
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
  EXPECT_EQ(sink_.take(), Lines{"REQUEST 7 false eow@openssh.com"});
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
  EXPECT_EQ(sink_.take(), Lines{});
}

}  // namespace
}  // namespace sandtrap::ssh
