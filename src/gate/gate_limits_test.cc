// What bounds one client's hold on the whole gate: how often it connects, how long it is silent,
// how long it stays, how much of it is recorded.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/instant.h"
#include "gate/scripted_roles_test.h"

namespace sandtrap::gate {
namespace {

using std::chrono::seconds;
using testing::ClientResult;
using testing::Rig;

class GateLimits : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "the gate starts as root";
    if (::access("/usr/bin/ssh", X_OK) != 0) GTEST_SKIP() << "no OpenSSH client";
  }
};

std::string read_all(int fd) {
  std::string text;
  char block[4096];
  ssize_t n = 0;
  while ((n = ::read(fd, block, sizeof block)) > 0) text.append(block, static_cast<std::size_t>(n));
  return text;
}

TEST_F(GateLimits, ASourceThatConnectsTooOftenIsTurnedAwayAndTheRestCounted) {
  Rig rig([](config::Settings& settings) {
    settings.server.source_rate = 1;
    settings.server.source_burst = 3;
  });
  std::vector<base::Fd> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(rig.connect());
  ASSERT_TRUE(rig.until([&] { return rig.count_events("connection.opened") == 3; }));
  for (int i = 0; i < 20; ++i) {
    const base::Fd refused = rig.connect();
    EXPECT_EQ(read_all(refused.get()), "Exceeded MaxStartups\r\n") << i;
  }
  ASSERT_TRUE(rig.until([&] { return rig.has_event("\"reason\":\"source_rate\""); }));
  EXPECT_EQ(rig.count_events("connection.refused"), 1U);  // the other 19 are one more line, later
  EXPECT_EQ(rig.count_events("connection.opened"), 3U);
}

TEST_F(GateLimits, SilenceEndsASessionAndEveryByteIsNoSilence) {
  Rig rig([](config::Settings& settings) { settings.server.idle_timeout = seconds(1); });
  const base::Fd silent = rig.connect(), slow = rig.connect();
  const auto begin = base::monotonic_now();
  bool closed_early = false;
  // An identification line that comes a byte at a time, for two timeouts.
  std::size_t sent = 0;
  ASSERT_TRUE(rig.until([&] {
    const auto passed = base::monotonic_now() - begin;
    if (passed > std::chrono::milliseconds(250) * static_cast<int>(sent)) {
      ++sent;
      closed_early = closed_early || ::send(slow.get(), "S", 1, MSG_NOSIGNAL) != 1;
    }
    if (passed < std::chrono::milliseconds(2500)) {
      closed_early = closed_early || rig.count_events("connection.closed") > 1;
    }
    return passed > std::chrono::milliseconds(2500);
  }));
  EXPECT_FALSE(closed_early);
  EXPECT_EQ(rig.count_events("connection.closed"), 1U);
  EXPECT_TRUE(rig.has_event("\"reason\":\"idle timeout\""));
  ASSERT_TRUE(rig.until([&] { return rig.count_events("connection.closed") == 2; }));
}

TEST_F(GateLimits, NobodyStaysLongerThanTheSessionLimitHoweverBusy) {
  Rig rig([](config::Settings& settings) { settings.server.session_limit = seconds(2); });
  const auto begin = base::monotonic_now();
  const ClientResult result = rig.ssh({"@", "while :; do echo busy; sleep 0.1; done"});
  EXPECT_EQ(result.status, 255);
  EXPECT_GE(base::monotonic_now() - begin, seconds(2));
  EXPECT_EQ(result.out.substr(0, 10), "busy\nbusy\n");
  ASSERT_TRUE(rig.until([&] { return rig.has_event("\"reason\":\"session limit\""); }));
}

TEST_F(GateLimits, ARecordingThatIsTooLargeEndsItsSession) {
  Rig rig([](config::Settings& settings) { settings.recording.max_bytes = 1 << 20; });
  const ClientResult result = rig.ssh({"@", "head -c 8000000 /dev/zero | tr '\\0' x"});
  EXPECT_EQ(result.status, 255);
  EXPECT_LT(result.out.size(), 1U << 20);
  ASSERT_TRUE(rig.until([&] { return rig.has_event("\"reason\":\"recording limit\""); }));
}

}  // namespace
}  // namespace sandtrap::gate
