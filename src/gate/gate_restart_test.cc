// The gate outlives its neighbours: a warden or a scribe dies, and another comes.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "gate/scripted_roles_test.h"

namespace sandtrap::gate {
namespace {

using testing::Rig;

// An ssh client whose stdin and stdout the test holds.
struct Live {
  pid_t pid = -1;
  base::Fd input, output;
  std::string seen;

  Live(Rig& rig, std::vector<std::string> arguments) {
    int in[2], out[2];
    EXPECT_EQ(::pipe2(in, O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
    arguments.insert(arguments.begin(), "root@127.0.0.1");
    base::Fd error(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    pid = rig.start_ssh(arguments, base::Fd(in[0]), base::Fd(out[1]), std::move(error), "letmein");
    input = base::Fd(in[1]);
    output = base::Fd(out[0]);
  }
  void say(const std::string& text) {
    EXPECT_EQ(::write(input.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  bool heard(const std::string& text) {
    char block[4096];
    ssize_t n = 0;
    while ((n = ::read(output.get(), block, sizeof block)) > 0) {
      seen.append(block, static_cast<std::size_t>(n));
    }
    return seen.find(text) != std::string::npos;
  }
};

class GateRestart : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "the gate starts as root";
    if (::access("/usr/bin/ssh", X_OK) != 0) GTEST_SKIP() << "no OpenSSH client";
  }
};

TEST_F(GateRestart, ALiveSessionGoesOnUnderANewWarden) {
  Rig rig;
  Live live(rig, {"cat"});
  live.say("before\n");
  ASSERT_TRUE(rig.until([&] { return live.heard("before\n"); }));
  rig.warden.disconnect();
  live.say("between\n");
  ASSERT_TRUE(rig.until([&] { return live.heard("between\n"); }));
  rig.new_warden_link();
  ASSERT_TRUE(rig.until([&] { return rig.warden.resumed.size() == 1; }));
  const ipc::SessionResumed& resumed = rig.warden.resumed.front();
  EXPECT_TRUE(resumed.authenticated);
  EXPECT_EQ(resumed.user, "root");
  EXPECT_EQ(resumed.channels, std::vector<std::uint32_t>{0});
  live.say("after\n");
  ASSERT_TRUE(rig.until([&] { return live.heard("after\n"); }));
  EXPECT_EQ(rig.ssh({"@", "echo new"}).out, "new\n");
  // Its end is known to the first warden only: the gate makes one of the output's end.
  live.input.reset();
  int status = -1;
  ASSERT_TRUE(rig.until([&] { return rig.exited(live.pid, status); }));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(GateRestart, AQuestionThatADeadWardenTookIsAskedAgain) {
  Rig rig;
  rig.warden.silent = true;
  Live live(rig, {"echo", "patient"});
  ASSERT_TRUE(rig.until([&] { return rig.warden.seen["Sign"] == 1; }));
  rig.warden.disconnect();
  rig.warden.silent = false;
  rig.new_warden_link();
  ASSERT_TRUE(rig.until([&] { return live.heard("patient\n"); }));
  int status = -1;
  ASSERT_TRUE(rig.until([&] { return rig.exited(live.pid, status); }));
}

TEST_F(GateRestart, ConnectionsWaitInTheQueueWhileThereIsNoWarden) {
  Rig rig;
  rig.warden.disconnect();
  Live live(rig, {"echo", "queued"});
  const base::Fd second = rig.connect();
  rig.new_warden_link();
  ASSERT_TRUE(rig.until([&] { return live.heard("queued\n"); }));
  int status = -1;
  ASSERT_TRUE(rig.until([&] { return rig.exited(live.pid, status); }));
}

TEST_F(GateRestart, RecordingsOutliveTheScribeAndNewOnesWaitForTheNext) {
  Rig rig;
  Live live(rig, {"cat"});
  live.say("before\n");
  ASSERT_TRUE(rig.until([&] { return live.heard("before\n"); }));
  rig.scribe.disconnect();
  live.say("without\n");
  ASSERT_TRUE(rig.until([&] { return live.heard("without\n"); }));
  Live next(rig, {"echo", "recorded"});
  ASSERT_TRUE(rig.until([&] { return rig.warden.seen["OpenProcess"] == 2; }));
  // Ends while nobody can be told.
  live.input.reset();
  int status = -1;
  ASSERT_TRUE(rig.until([&] { return rig.exited(live.pid, status); }));
  EXPECT_FALSE(next.heard("recorded"));
  rig.new_scribe_link();
  ASSERT_TRUE(rig.until([&] { return next.heard("recorded\n"); }));
  ASSERT_TRUE(rig.until([&] { return rig.exited(next.pid, status); }));
  ASSERT_TRUE(rig.until([&] { return rig.scribe.finished.size() == 2; }));
  EXPECT_NE(rig.scribe.file(rig.scribe.opened[0]).find("\"o\", \"without\\n\""), std::string::npos);
}

TEST_F(GateRestart, AScribeThatStaysAwayMeansRefusalNotSilence) {
  Rig rig;
  rig.scribe.silent = true;
  const auto result = rig.ssh({"@", "echo unrecorded"});
  EXPECT_EQ(result.status, 255);
  EXPECT_EQ(result.out, "");
  EXPECT_TRUE(rig.until([&] { return rig.has_event("channel.refused"); }));
  EXPECT_TRUE(rig.until([&] { return rig.warden.seen["CloseProcess"] == 1; }));
}

TEST_F(GateRestart, AClientThatVanishesHangsItsProgramUp) {
  Rig rig;
  Live live(rig, {"echo", "here;", "exec", "sleep", "1000"});
  ASSERT_TRUE(rig.until([&] { return live.heard("here\n"); }));
  ::kill(live.pid, SIGKILL);
  int status = -1;
  ASSERT_TRUE(rig.until([&] { return rig.exited(live.pid, status); }));
  ASSERT_TRUE(rig.until([&] { return rig.warden.seen["SessionClosed"] == 1; }));
  EXPECT_TRUE(rig.until([&] { return rig.scribe.finished.size() == 1; }));
}

TEST_F(GateRestart, TheGateEndsWithItsSupervisor) {
  Rig rig;
  const base::Fd idle = rig.connect();
  ASSERT_TRUE(rig.until([&] { return rig.count_events("connection.opened") == 1; }));
  rig.drop_control();
  int status = -1;
  ASSERT_TRUE(rig.until([&] { return rig.exited(rig.gate, status); }));
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(rig.has_event("connection.closed"));
}

}  // namespace
}  // namespace sandtrap::gate
