// The whole gate, confined, with scripted neighbours and the system's ssh as its client.
#include "gate/gate.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include "gate/scripted_roles_test.h"

namespace sandtrap::gate {
namespace {

using testing::ClientResult;
using testing::Rig;

class Gate : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "the gate starts as root";
    if (::access("/usr/bin/ssh", X_OK) != 0) GTEST_SKIP() << "no OpenSSH client";
  }
};

std::string random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 0x12345678;
  for (char& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

// Reads until the end of the stream or an error; `reset` tells which.
std::string read_to_end(int fd, bool& reset) {
  std::string text;
  char block[4096];
  ssize_t n = 0;
  while ((n = ::read(fd, block, sizeof block)) > 0) text.append(block, static_cast<std::size_t>(n));
  reset = n < 0 && errno == ECONNRESET;
  return text;
}

TEST_F(Gate, ExecKeepsStreamsApartAndReturnsTheStatus) {
  Rig rig;
  const ClientResult result = rig.ssh({"@", "echo out; echo err >&2; exit 7"});
  EXPECT_EQ(result.status, 7);
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  ASSERT_TRUE(rig.until([&] { return rig.has_event("connection.closed"); }));
  for (const char* event :
       {"connection.opened", "client.version", "client.kex", "kex.completed", "login.succeeded",
        "channel.opened", "channel.exec", "channel.started", "channel.exited", "channel.closed"}) {
    EXPECT_TRUE(rig.has_event(std::string("\"event\":\"") + event)) << event;
  }
  EXPECT_TRUE(rig.has_event("letmein"));
  EXPECT_TRUE(rig.has_event("\"sensor\":\"rig\""));
  ASSERT_EQ(rig.scribe.opened.size(), 1U);
  const std::string recording = rig.scribe.file(rig.scribe.opened.front());
  EXPECT_NE(recording.find("\"o\", \"out\\n\""), std::string::npos) << recording;
  EXPECT_NE(recording.find("\"e\", \"err\\n\""), std::string::npos) << recording;
  ASSERT_TRUE(rig.until([&] { return rig.scribe.finished.size() == 1; }));
  EXPECT_EQ(rig.scribe.finished, rig.scribe.opened);
  ASSERT_TRUE(rig.until([&] { return rig.warden.seen["SessionClosed"] == 1; }));
  EXPECT_EQ(rig.warden.seen["RecordingNamed"], 1);
}

TEST_F(Gate, BulkGoesThroughBothWaysExact) {
  Rig rig;
  const std::string data = random_bytes(6'000'000);
  const ClientResult result = rig.ssh({"@", "cat"}, data);
  EXPECT_EQ(result.status, 0);
  EXPECT_TRUE(result.out == data) << result.out.size();
  // 12 MB, and a little: the scribe hears of every two.
  ASSERT_TRUE(rig.until([&] { return rig.scribe.finished.size() == 1; }));
  EXPECT_EQ(rig.scribe.grew, std::vector<std::string>(5, rig.scribe.opened.front()));
}

TEST_F(Gate, RekeyingInTheMiddleOfATransferLosesNothing) {
  Rig rig;
  const std::string data = random_bytes(4'000'000);
  const ClientResult result = rig.ssh({"-o", "RekeyLimit=500K", "@", "cat"}, data);
  EXPECT_EQ(result.status, 0);
  EXPECT_TRUE(result.out == data) << result.out.size();
  EXPECT_GT(rig.warden.seen["Sign"], 3);
}

TEST_F(Gate, TerminalHasItsSizeAndItsInput) {
  Rig rig;
  const ClientResult result = rig.ssh({"-tt", "@", "stty size; read x; echo got $x"}, "hello\n");
  EXPECT_EQ(result.status, 0);
  EXPECT_NE(result.out.find("got hello\r\n"), std::string::npos) << result.out;
  ASSERT_EQ(rig.scribe.opened.size(), 1U);
  const std::string recording = rig.scribe.file(rig.scribe.opened.front());
  EXPECT_NE(recording.find("\"i\", \"hello"), std::string::npos) << recording;
}

TEST_F(Gate, KilledProgramReportsItsSignal) {
  Rig rig;
  const ClientResult result = rig.ssh({"@", "kill -TERM $$"});
  EXPECT_EQ(result.status, 255);  // what ssh makes of exit-signal
  ASSERT_TRUE(rig.until([&] { return rig.has_event("channel.exited"); }));
  EXPECT_TRUE(rig.has_event("\"signal\":\"TERM\""));
}

TEST_F(Gate, WrongPasswordIsRefusedAndLogged) {
  Rig rig;
  const ClientResult result = rig.ssh({"@", "true"}, "", "wrong");
  EXPECT_EQ(result.status, 255);
  EXPECT_NE(result.err.find("Permission denied (publickey,password)"), std::string::npos)
      << result.err;
  ASSERT_TRUE(rig.until([&] { return rig.has_event("connection.closed"); }));
  EXPECT_TRUE(rig.has_event("login.failed"));
  EXPECT_FALSE(rig.has_event("login.succeeded"));
  EXPECT_EQ(rig.warden.seen["OpenProcess"], 0);
}

TEST_F(Gate, ARefusedProgramLooksLikeAFailedFork) {
  Rig rig;
  rig.warden.refuse_programs = true;
  const ClientResult result = rig.ssh({"@", "true"});
  EXPECT_EQ(result.status, 255);
  EXPECT_NE(result.err.find("exec request failed on channel 0"), std::string::npos) << result.err;
  EXPECT_TRUE(rig.until([&] { return rig.has_event("channel.refused"); }));
}

TEST_F(Gate, AnUnknownSubsystemNeverReachesTheWarden) {
  Rig rig;
  const ClientResult result = rig.ssh({"-s", "@", "netconf"});
  EXPECT_EQ(result.status, 255);
  EXPECT_EQ(rig.warden.seen["OpenProcess"], 0);
}

TEST_F(Gate, ADiskThatTakesNoRecordingEndsTheChannelLoudly) {
  Rig rig;
  rig.scribe.disk_full = true;
  const ClientResult result = rig.ssh({"@", "echo unseen"});
  EXPECT_EQ(result.status, 255);
  EXPECT_EQ(result.out, "");
  ASSERT_TRUE(rig.until([&] { return rig.has_event("connection.closed"); }));
  EXPECT_TRUE(rig.has_event("\"event\":\"error\""));
}

TEST_F(Gate, HttpGetsTheErrorLineAndAReset) {
  Rig rig;
  const base::Fd client = rig.connect();
  const std::string request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  ASSERT_EQ(::write(client.get(), request.data(), request.size()),
            static_cast<ssize_t>(request.size()));
  ASSERT_TRUE(rig.until([&] { return rig.has_event("connection.closed"); }));
  bool reset = false;
  const std::string answer = read_to_end(client.get(), reset);
  EXPECT_TRUE(answer.empty() || answer.ends_with("Invalid SSH identification string.\r\n"));
  EXPECT_TRUE(reset);  // what stands behind the first line was never read
}

TEST_F(Gate, StartupsBeyondTheLimitAreTurnedAway) {
  Rig rig([](config::Settings& settings) { settings.server.max_startups = {2, 100, 2}; });
  const base::Fd first = rig.connect(), second = rig.connect();
  ASSERT_TRUE(rig.until([&] { return rig.count_events("connection.opened") == 2; }));
  const base::Fd third = rig.connect();
  ASSERT_TRUE(rig.until([&] { return rig.has_event("connection.refused"); }));
  bool reset = false;
  EXPECT_EQ(read_to_end(third.get(), reset), "Exceeded MaxStartups\r\n");
  EXPECT_TRUE(rig.has_event("max_startups"));
}

TEST_F(Gate, TwoHundredGarbageConnectionsLeaveItServing) {
  Rig rig;
  std::vector<base::Fd> clients;
  const std::string noise = random_bytes(3000);
  for (int i = 0; i < 200; ++i) {
    clients.push_back(rig.connect());
    std::string text = noise.substr(static_cast<std::size_t>(i) * 7);
    if (i % 2 == 0) text.insert(0, "SSH-2.0-noise\r\n");
    ASSERT_GT(::send(clients.back().get(), text.data(), text.size(), MSG_NOSIGNAL), 0);
  }
  ASSERT_TRUE(rig.until([&] { return rig.count_events("connection.closed") >= 150; }));
  clients.clear();
  ASSERT_TRUE(rig.until([&] { return rig.count_events("connection.closed") == 200; }));
  EXPECT_EQ(rig.warden.seen["SessionOpened"], 0);  // none of it woke the warden
  EXPECT_EQ(rig.ssh({"@", "echo alive"}).out, "alive\n");
}

TEST_F(Gate, TenSessionsShareOneConnection) {
  Rig rig;
  const std::string socket = "ControlPath=" + rig.folder + "/mux";
  const ClientResult master =
      rig.ssh({"-o", socket, "-o", "ControlMaster=yes", "-o", "ControlPersist=60", "@", "true"});
  ASSERT_EQ(master.status, 0) << master.err;
  std::vector<pid_t> clients;
  for (int i = 0; i < 10; ++i) {
    constexpr int kCreate = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
    const std::string out = rig.folder + "/mux" + std::to_string(i);
    clients.push_back(rig.start_ssh(
        {"-o", socket, "root@127.0.0.1", "read x < /dev/null; echo " + std::to_string(i)},
        base::Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)),
        base::Fd(::open(out.c_str(), kCreate, 0600)),
        base::Fd(::open("/dev/null", O_WRONLY | O_CLOEXEC)), "unused"));
  }
  for (int i = 0; i < 10; ++i) {
    int status = -1;
    ASSERT_TRUE(
        rig.until([&] { return rig.exited(clients[static_cast<std::size_t>(i)], status); }));
    EXPECT_EQ(status, 0);
    EXPECT_EQ(rig.scribe.file("mux" + std::to_string(i)), std::to_string(i) + "\n");
  }
  EXPECT_EQ(rig.warden.seen["SessionOpened"], 1);
  EXPECT_EQ(rig.warden.seen["OpenProcess"], 11);
  EXPECT_EQ(rig.ssh({"-o", socket, "-O", "exit", "@"}).status, 0);
}

TEST_F(Gate, AClientThatReadsNothingCostsBoundedMemory) {
  Rig rig;
  int in[2], out[2];
  ASSERT_EQ(::pipe2(in, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(out, O_CLOEXEC), 0);  // never read: ssh stops reading its socket in turn
  const std::size_t before = rig.resident_kib();
  const pid_t client =
      rig.start_ssh({"root@127.0.0.1", "exec cat /dev/urandom"}, base::Fd(in[0]), base::Fd(out[1]),
                    base::Fd(::open("/dev/null", O_WRONLY | O_CLOEXEC)), "letmein");
  // It grows, then stands still: the sidecar says how much was read from the program.
  std::size_t size = 0, still = 0;
  ASSERT_TRUE(rig.until([&] {
    const std::size_t now = rig.scribe.opened.empty() ? 0 : rig.sidecar_size();
    still = now == size && now > 0 ? still + 1 : 0;
    size = now;
    return still > 100;
  }));
  EXPECT_LT(size, 32U << 20);
  EXPECT_LT(rig.resident_kib(), before + 16 * 1024);
  ::kill(client, SIGKILL);
  int status = 0;
  ASSERT_TRUE(rig.until([&] { return rig.exited(client, status); }));
  ASSERT_TRUE(rig.until([&] { return rig.warden.seen["SessionClosed"] == 1; }));
}

TEST_F(Gate, DrainsAndSaysSo) {
  Rig rig;
  const base::Fd idle = rig.connect();
  ASSERT_TRUE(rig.until([&] { return rig.count_events("connection.opened") == 1; }));
  rig.drain(0);
  int status = -1;
  ASSERT_TRUE(rig.until([&] { return rig.exited(rig.gate, status); }));
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(rig.until([&] { return rig.drained; }));
  EXPECT_TRUE(rig.has_event("connection.closed"));
}

}  // namespace
}  // namespace sandtrap::gate
