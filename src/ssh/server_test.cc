#include "ssh/server.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "crypto/host_key.h"
#include "ssh/auth_delay.h"
#include "ssh/server_fixture_test.h"

namespace sandtrap::ssh {
namespace {

using namespace std::chrono_literals;
using crypto::PrivateHostKey;

Writer service() {
  return Writer(message::kServiceRequest).string("ssh-userauth");
}

TEST(Server, PasswordLoginExecAndEnd) {
  JoinedServer j;
  j.send(service());
  EXPECT_EQ(j.exchange(JoinedServer::request("root", "none")),
            (Lines{"SERVICE_ACCEPT ssh-userauth", "AUTH_FAILURE publickey,password"}));
  EXPECT_EQ(j.exchange(JoinedServer::password("root", "wrong")),
            Lines{"AUTH_FAILURE publickey,password"});
  EXPECT_EQ(j.exchange(JoinedServer::password("root", "letmein")),
            (Lines{"AUTH_SUCCESS", "GLOBAL hostkeys-00@openssh.com"}));
  EXPECT_FALSE(j.server.session_started());
  j.send(JoinedServer::open(5));
  EXPECT_EQ(j.exchange(JoinedServer::exec(0, "cat")),
            (Lines{"OPENED 5 0 0 32768", "ADJUST 5 2097152", "SUCCESS 5"}));
  EXPECT_TRUE(j.server.session_started());
  j.send(JoinedServer::data(0, base::as_bytes("hello")));
  j.send(Writer(message::kChannelEof).u32(0));
  j.run();
  EXPECT_EQ(j.server.channel_output(0, Stream::kOutput, base::as_bytes("hello")), 5U);
  j.server.channel_output_eof(0);
  j.server.channel_exited(0, ExitStatus{3});
  j.run();
  EXPECT_EQ(j.lines(), (Lines{"DATA 5 hello", "EOF 5", "EXIT-STATUS 5 false 3", "CLOSE 5"}));
  j.exchange(Writer(message::kChannelClose).u32(0));
  j.exchange(Writer(1).u32(11).string("bye").string(""));
  EXPECT_EQ(j.log, (Lines{"attempt root 0 false", "attempt root 1 true", "attempt root 1 true",
                          "authenticated root password", "opened 0", "program 0 cat",
                          "input 0 hello", "eof 0 false", "closed 0", j.log.back()}));
  EXPECT_TRUE(j.closed);
  EXPECT_TRUE(j.log.back().ends_with(" true")) << j.log.back();
}

TEST(Server, KeyboardInteractiveLogin) {
  Profile profile = fast_debian();
  profile.keyboard_interactive = true;
  JoinedServer j(profile);
  j.send(service());
  j.exchange(JoinedServer::request("root", "keyboard-interactive").string("").string(""));
  j.exchange(Writer(message::kUserauthInfoResponse).u32(1).string("letmein"));
  EXPECT_EQ(j.exchange(Writer(message::kUserauthInfoResponse).u32(0)),
            (Lines{"AUTH_SUCCESS", "GLOBAL hostkeys-00@openssh.com"}));
}

// The host keys serve as user keys too: one of each kind is at hand.
class ServerKeyTest : public ::testing::TestWithParam<std::pair<std::size_t, std::string>> {
 protected:
  // A publickey request, signed if `sign`; `bound` as publickey-hostbound-v00@openssh.com.
  Writer request(bool sign, bool bound, bool spoil = false) {
    const std::string method = bound ? "publickey-hostbound-v00@openssh.com" : "publickey";
    Writer w = JoinedServer::request("root:style", method);
    w.boolean(sign).string(GetParam().second).string(key_.public_blob());
    if (bound) w.string(joined_.client.host_key_blob());
    if (!sign) return w;
    Writer whole;
    whole.string(joined_.client.session_identifier()).raw(w.view());
    Bytes data = whole.take();
    if (spoil) data.back() ^= 1;
    return w.string(*key_.sign(GetParam().second, data));
  }
  void SetUp() override {
    joined_.send(service());
    joined_.run();
    joined_.lines();
  }
  JoinedServer joined_;
  const PrivateHostKey& key_ = test::HostKeys::shared().key(GetParam().first);
};

TEST_P(ServerKeyTest, QueryThenSignature) {
  const Lines answer = joined_.exchange(request(false, false));
  Writer expected(message::kUserauthPkOk);
  expected.string(GetParam().second).string(key_.public_blob());
  EXPECT_EQ(answer, Lines{describe_packet(expected.view())});
  const std::string found =
      "DEBUG /root/.ssh/authorized_keys:1: key options: agent-forwarding port-forwarding pty "
      "user-rc x11-forwarding";
  EXPECT_EQ(joined_.exchange(request(true, false)),
            (Lines{"AUTH_SUCCESS", "GLOBAL hostkeys-00@openssh.com", found, found}));
  EXPECT_EQ(joined_.log.back(), "authenticated root publickey");
}

TEST_P(ServerKeyTest, HostBoundSignature) {
  EXPECT_EQ(joined_.exchange(request(true, true)).front(), "AUTH_SUCCESS");
}

TEST_P(ServerKeyTest, WrongSignatureFailsWithoutADecision) {
  EXPECT_EQ(joined_.exchange(request(true, false, true)), Lines{"AUTH_FAILURE publickey,password"});
  EXPECT_EQ(joined_.log.back(), "attempt root 2 false");
}

TEST_P(ServerKeyTest, TrailingBytesCloseSilently) {
  EXPECT_EQ(joined_.exchange(request(true, false).byte(0)), Lines{});
  EXPECT_TRUE(joined_.closed);
}

TEST_P(ServerKeyTest, OtherHostKeyClosesSilently) {
  Writer w = JoinedServer::request("root", "publickey-hostbound-v00@openssh.com");
  w.boolean(false).string(GetParam().second).string(key_.public_blob()).string("other");
  EXPECT_EQ(joined_.exchange(w), Lines{});
  EXPECT_TRUE(joined_.closed);
}

INSTANTIATE_TEST_SUITE_P(Kinds, ServerKeyTest,
                         ::testing::Values(std::pair(2U, "ssh-ed25519"),
                                           std::pair(1U, "ecdsa-sha2-nistp256"),
                                           std::pair(0U, "rsa-sha2-512"),
                                           std::pair(0U, "rsa-sha2-256")));

TEST(Server, HeldRepliesKeepFurtherPacketsWaiting) {
  Profile profile = debian_12();
  JoinedServer j(profile);
  j.send(service());
  j.send(JoinedServer::password("root", "wrong"));
  j.send(JoinedServer::password("root", ""));
  j.run();
  EXPECT_EQ(j.lines(), Lines{"SERVICE_ACCEPT ssh-userauth"});
  EXPECT_EQ(j.log, Lines{"attempt root 1 true"});
  const base::Duration b = base_failure_delay(42, "root");
  const base::Duration held = *j.server.deadline() - j.now;
  EXPECT_GE(held, 1000ms);
  EXPECT_EQ(held % b, base::Duration::zero());
  j.run_for(held);
  EXPECT_EQ(j.lines(), Lines{"AUTH_FAILURE publickey,password"});
  EXPECT_EQ(j.log.size(), 2U);  // the second request came up
  EXPECT_EQ(*j.server.deadline() - j.now, b);
  j.run_for(b);
  EXPECT_EQ(j.lines(), Lines{"AUTH_FAILURE publickey,password"});
}

TEST(Server, SuccessIsSentAloneAndTheSessionIsSetUpAfterAPause) {
  JoinedServer j(debian_12());
  j.log_in();
  j.send(JoinedServer::open(0));
  j.run();
  EXPECT_EQ(j.lines(), (Lines{"SERVICE_ACCEPT ssh-userauth", "AUTH_SUCCESS"}));
  const base::Duration pause = *j.server.deadline() - j.now;
  EXPECT_GE(pause, 10ms);
  EXPECT_LE(pause, 20ms);
  j.run_for(pause);
  EXPECT_EQ(j.lines(), (Lines{"GLOBAL hostkeys-00@openssh.com", "OPENED 0 0 0 32768"}));
}

TEST(Server, GraceTimeEndsAHeldConnection) {
  JoinedServer j;
  j.send(service());
  j.run();
  j.run_for(200s);
  EXPECT_TRUE(j.closed);
  EXPECT_FALSE(j.server.deadline());
}

TEST(Server, InputThatWaitsIsBounded) {
  Profile profile = debian_12();
  JoinedServer j(profile);
  j.send(service());
  j.send(JoinedServer::password("root", "wrong"));
  j.run();
  EXPECT_TRUE(j.server.wants_input());
  const Bytes noise(64 * 1024);
  for (int i = 0; i < 5; ++i) j.server.receive(noise, j.now);
  EXPECT_FALSE(j.server.wants_input());
  EXPECT_FALSE(j.closed);
  for (int i = 0; i < 60; ++i) j.server.receive(noise, j.now);
  j.run();
  EXPECT_TRUE(j.closed);
}

TEST(Server, OutputBacklogIsBoundedWhenTheClientDoesNotRead) {
  JoinedServer j;
  j.log_in();
  j.send(JoinedServer::open(0, 1U << 30));
  j.exchange(JoinedServer::exec(0, "yes"));
  const Bytes block(32768, 'y');
  std::size_t sent = 0;
  while (const std::size_t n = j.server.channel_output(0, Stream::kOutput, block)) sent += n;
  EXPECT_GE(sent, 192U * 1024);
  EXPECT_LE(sent, 256U * 1024);
  EXPECT_LE(j.server.memory_used(), 1024U * 1024);
  j.run();
  EXPECT_GE(j.server.channel_room(0), 128U * 1024);
}

TEST(Server, ProvesItsHostKeys) {
  JoinedServer j;
  j.log_in();
  j.lines();
  Writer w(message::kGlobalRequest);
  w.string("hostkeys-prove-00@openssh.com").boolean(true);
  for (const HostKey& key : test::HostKeys::shared().public_keys()) w.string(key.blob);
  const Lines lines = j.exchange(w);
  ASSERT_EQ(lines.size(), 1U);
  Writer proofs;
  for (int i = 0; i < 3; ++i) proofs.string("proof");
  EXPECT_EQ(lines[0], "REQUEST_SUCCESS " + base::to_hex(proofs.view()));
}

TEST(Server, HalfCloseWhileAProgramIsAskedForEndsAtOnce) {
  JoinedServer j;
  j.log_in();
  std::optional<ChannelId> asked;
  j.on_program = [&](const ProgramRequest& request) {
    asked = request.channel;
    j.server.peer_eof(j.now);  // before the answer
    return true;
  };
  j.send(JoinedServer::open(0));
  j.exchange(JoinedServer::exec(0, "id"));
  EXPECT_TRUE(asked);
  EXPECT_TRUE(j.closed);
}

TEST(Server, DisconnectSaysWhy) {
  JoinedServer j;
  j.log_in();
  j.lines();
  j.server.disconnect("Too bad.");
  j.run();
  Writer expected(1);
  expected.u32(2).string("Too bad.").string("");
  EXPECT_EQ(j.lines(), Lines{describe_packet(expected.view())});
  EXPECT_TRUE(j.closed);
}

TEST(Server, CallsAfterTheEndAreHarmless) {
  JoinedServer j;
  j.log_in();
  j.server.disconnect("x");
  j.run();
  j.server.submit_auth(1, true, j.now);
  j.server.submit_program(0, true);
  j.server.submit_proofs(1, {});
  j.server.channel_exited(0, ExitStatus{0});
  j.server.channel_output_eof(0);
  j.server.channel_consumed(0, 1);
  EXPECT_EQ(j.server.channel_output(0, Stream::kOutput, base::as_bytes("x")), 0U);
  j.server.disconnect("y");
  j.server.tick(j.now + 1h);
  j.run();
  EXPECT_FALSE(j.server.wants_input());
}

// The events of a whole session do not depend on how the wire bytes were cut.
TEST(Server, AnyFragmentationGivesTheSameEvents) {
  const auto session = [](std::function<std::size_t()> largest) {
    JoinedServer j;
    j.largest = std::move(largest);
    j.log_in();
    for (std::uint32_t id = 0; id < 3; ++id) {
      j.send(JoinedServer::open(10 + id));
      j.send(JoinedServer::exec(id, fmt::format("cat {}", id)));
    }
    j.run();
    for (std::uint32_t id = 0; id < 3; ++id) {
      j.send(JoinedServer::data(id, Bytes(1000 + id, 'x')));
      j.send(Writer(message::kChannelEof).u32(id));
    }
    j.run();
    j.client.send_kex_init();
    j.send(Writer(message::kChannelClose).u32(1));
    j.run();
    return std::pair(j.log, j.lines());
  };
  const auto whole = session({});
  EXPECT_EQ(whole.first.size(), 2U + 6 + 6 + 1);
  EXPECT_TRUE(rc::check([&] {
    const auto sizes = *rc::gen::nonEmpty(
        rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(1, 200)));
    std::size_t next = 0;
    RC_ASSERT(session([&] { return sizes[next++ % sizes.size()]; }) == whole);
  }));
}

}  // namespace
}  // namespace sandtrap::ssh
