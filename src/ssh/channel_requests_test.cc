#include "ssh/channel_requests.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ssh/channel_fixture_test.h"

namespace sandtrap::ssh {
namespace {

TEST_F(ChannelTest, ProgramStartGrowsTheWindowThenSucceeds) {
  open();
  EXPECT_EQ(after(request("exec").string("id")), Lines{});
  EXPECT_TRUE(connection().waiting());
  const auto program = take_event<ProgramRequest>(events_);
  EXPECT_EQ(program.kind, ProgramKind::kExec);
  EXPECT_EQ(program.command, "id");
  EXPECT_FALSE(connection().session_started());
  connection().submit_program(0, true);
  EXPECT_EQ(taken(), (Lines{"ADJUST 7 1000000", "SUCCESS 7"}));
  EXPECT_TRUE(connection().session_started());
  EXPECT_FALSE(connection().waiting());
}

TEST_F(ChannelTest, ProgramStartWithoutReplyOnlyGrowsTheWindow) {
  open();
  after(request("shell", false));
  connection().submit_program(0, true);
  EXPECT_EQ(taken(), Lines{"ADJUST 7 1000000"});
}

TEST_F(ChannelTest, FailedSubsystemLeavesTheChannelUsable) {
  open();
  after(request("subsystem").string("sftp"));
  connection().submit_program(0, false);
  EXPECT_EQ(taken(), Lines{"FAILURE 7"});
  after(request("shell"));
  connection().submit_program(0, true);
  EXPECT_EQ(taken(), (Lines{"ADJUST 7 1000000", "SUCCESS 7"}));
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

}  // namespace
}  // namespace sandtrap::ssh
