#include "ssh/connection.h"

#include <gtest/gtest.h>

#include "ssh/connection_recorder_test.h"
#include "support/ssh_client.h"

namespace sandtrap::ssh {
namespace {

const std::vector<HostKey> kKeys = {{"ssh-rsa", base::to_bytes("R")},
                                    {"ecdsa-sha2-nistp256", base::to_bytes("E")},
                                    {"ssh-ed25519", base::to_bytes("D")}};

class ConnectionTest : public ::testing::Test {
 protected:
  void packet(const Writer& w) {
    payload_ = w.bytes();  // what ChannelInput points into
    connection().handle(Packet{sequence_++, payload_});
    connection().collect();
  }
  Lines after(const Writer& w) {
    packet(w);
    return sink_.take();
  }
  Connection& connection() {
    if (!connection_) connection_.emplace(profile_, kKeys, sink_, events_, entropy_, peer_);
    return *connection_;
  }
  static Writer open(std::uint32_t remote_id, std::string_view type = "session",
                     std::uint32_t window = 1U << 20, std::uint32_t max_packet = 32768) {
    Writer w(message::kChannelOpen);
    w.string(type).u32(remote_id).u32(window).u32(max_packet);
    return w;
  }
  static Writer global(std::string_view name, bool want_reply = true) {
    Writer w(message::kGlobalRequest);
    w.string(name).boolean(want_reply);
    return w;
  }

  Profile profile_;
  PacketRecorder sink_;
  test::SeededEntropy entropy_{1};
  std::vector<Event> events_;
  ConnectionPeer peer_{"admin",
                       "OpenSSH_9.2p1",
                       base::to_bytes("sid"),
                       "ssh-ed25519",
                       "ssh-ed25519,rsa-sha2-256,rsa-sha2-512",
                       22};
  std::optional<Connection> connection_;
  Bytes payload_;
  std::uint32_t sequence_ = 9;
};

TEST_F(ConnectionTest, AnnouncesHostKeysInOrder) {
  connection().announce_host_keys();
  Writer expected(message::kGlobalRequest);
  expected.string("hostkeys-00@openssh.com").boolean(false).string("R").string("E").string("D");
  EXPECT_EQ(sink_.last_payload(), expected.bytes());
}

TEST_F(ConnectionTest, SomeClientsChokeOnHostKeys) {
  for (const char* software : {"TTSSH/2.70 Win32", "Cisco-1.25", "TeraTerm SSH 1"}) {
    EXPECT_FALSE(client_takes_host_keys(software)) << software;
  }
  for (const char* software : {"TTSSH/2.90", "OpenSSH_9.2", "PuTTY_Release_0.78", ""}) {
    EXPECT_TRUE(client_takes_host_keys(software)) << software;
  }
  peer_.client_software = "Cisco-1.25";
  connection().announce_host_keys();
  EXPECT_TRUE(sink_.take().empty());
}

TEST_F(ConnectionTest, OnlyLaterOpenSshKnowsEow) {
  for (const char* software : {"OpenSSH_5.1", "OpenSSH_9.2p1 Debian-2", "OpenSSH", "OpenSSH_10"}) {
    EXPECT_TRUE(client_knows_eow(software)) << software;
  }
  for (const char* software :
       {"OpenSSH_4.7p1", "OpenSSH_3.9", "OpenSSH_2.3.0", "OpenSSH-2.0", "PuTTY", "", "openssh_9"}) {
    EXPECT_FALSE(client_knows_eow(software)) << software;
  }
}

TEST_F(ConnectionTest, SessionsTakeLowestFreeNumberUpToTheLimit) {
  for (std::uint32_t i = 0; i < 10; ++i) {
    EXPECT_EQ(after(open(100 + i)), Lines{fmt::format("OPENED {} {} 0 32768", 100 + i, i)});
  }
  EXPECT_EQ(after(open(7)), Lines{"OPEN_FAILURE 7 2 open failed"});
  events_.clear();
  EXPECT_EQ(after(Writer(message::kChannelClose).u32(4)), Lines{"CLOSE 104"});
  EXPECT_EQ(take_event<ChannelClosed>(events_).channel, 4U);
  EXPECT_EQ(after(open(7)), Lines{"OPENED 7 4 0 32768"});
  EXPECT_EQ(after(open(8)), Lines{"OPEN_FAILURE 8 2 open failed"});
}

TEST_F(ConnectionTest, NoMoreSessions) {
  EXPECT_EQ(after(global("no-more-sessions@openssh.com", false)), Lines{});
  EXPECT_EQ(after(global("no-more-sessions@openssh.com")), Lines{"REQUEST_SUCCESS "});
  EXPECT_EQ(after(open(0)),
            Lines{"DISCONNECT Possible attack: attempt to open a session after additional "
                  "sessions disabled"});
}

TEST_F(ConnectionTest, OtherChannelTypesAreRefusedWithReasonTwo) {
  for (const char* type : {"x11", "forwarded-tcpip", "auth-agent@openssh.com", "", "SESSION"}) {
    EXPECT_EQ(after(open(5, type)), Lines{"OPEN_FAILURE 5 2 open failed"});
    EXPECT_EQ(take_event<ForwardRequest>(events_).kind, type);
  }
}

Writer direct_tcpip(std::string_view host, std::uint32_t port) {
  Writer w(message::kChannelOpen);
  w.string("direct-tcpip").u32(5).u32(1000).u32(1000);
  w.string(host).u32(port).string("127.0.0.1").u32(4000);
  return w;
}

TEST_F(ConnectionTest, DirectTcpipFailsAtOnceOnThisHost) {
  profile_.forward_rules = {{"localhost", ForwardOutcome::kRefused}};
  EXPECT_EQ(after(direct_tcpip("127.0.0.1", 25)), Lines{"OPEN_FAILURE 5 2 Connection refused"});
  const auto request = take_event<ForwardRequest>(events_);
  EXPECT_EQ(request.host, "127.0.0.1");
  EXPECT_EQ(request.port, 25U);
  EXPECT_EQ(request.originator, "127.0.0.1:4000");
  EXPECT_FALSE(request.accepted);
  EXPECT_EQ(after(direct_tcpip("127.0.0.1", 65536)), Lines{"OPEN_FAILURE 5 1 open failed"});
  EXPECT_EQ(after(direct_tcpip("255.255.255.255", 80)), Lines{"OPEN_FAILURE 5 2 open failed"});
  EXPECT_EQ(after(direct_tcpip("", 80)), Lines{"OPEN_FAILURE 5 2 Name or service not known"});
  connection_.reset();
  profile_.no_port_forwarding = true;
  EXPECT_EQ(after(direct_tcpip("127.0.0.1", 25)), Lines{"OPEN_FAILURE 5 1 open failed"});
}

TEST_F(ConnectionTest, DirectTcpipFailsAsSlowlyAsARealConnection) {
  using namespace std::chrono_literals;
  Instant now{1h};
  EXPECT_EQ(after(direct_tcpip("192.0.2.1", 25)), Lines{});
  connection().tick(now);
  EXPECT_FALSE(connection().waiting());  // other channels go on
  EXPECT_EQ(after(open(6)), Lines{"OPENED 6 1 0 32768"});
  EXPECT_GE(*connection().deadline() - now, profile_.forward_timing.timeout_min);
  now = *connection().deadline();
  connection().tick(now);
  EXPECT_EQ(sink_.take(), Lines{"OPEN_FAILURE 5 2 Connection timed out"});
  EXPECT_FALSE(connection().deadline());
  EXPECT_EQ(after(open(7)), Lines{"OPENED 7 0 0 32768"});
}

TEST_F(ConnectionTest, AResolverHoldsTheWholeConnection) {
  using namespace std::chrono_literals;
  profile_.forward_rules = {{"unresolvable", ForwardOutcome::kUnknownName}};
  Instant now{1h};
  EXPECT_EQ(after(direct_tcpip("mail.invalid", 25)), Lines{});
  EXPECT_TRUE(connection().waiting());
  connection().tick(now);
  connection().tick(*connection().deadline());
  EXPECT_EQ(sink_.take(), Lines{"OPEN_FAILURE 5 2 Name or service not known"});
  EXPECT_FALSE(connection().waiting());
}

TEST_F(ConnectionTest, OurOwnPortIsAnswered) {
  EXPECT_EQ(after(direct_tcpip("localhost", 22)), Lines{"OPENED 5 0 2097152 32768"});
  EXPECT_EQ(take_event<DirectOpened>(events_).channel, 0U);
  EXPECT_TRUE(take_event<ForwardRequest>(events_).accepted);
  connection().output(0, Stream::kOutput, base::as_bytes("SSH-2.0-x"));
  EXPECT_EQ(sink_.take(), Lines{"DATA 5 SSH-2.0-x"});
  EXPECT_EQ(after(Writer(message::kChannelRequest).u32(0).string("shell").boolean(true)),
            Lines{"FAILURE 5"});
  connection().output_eof(0);
  EXPECT_EQ(sink_.take(), Lines{"EOF 5"});
  EXPECT_EQ(after(Writer(message::kChannelClose).u32(0)), Lines{"CLOSE 5"});
}

TEST_F(ConnectionTest, OtherForwardings) {
  EXPECT_EQ(
      after(open(5, "direct-streamlocal@openssh.com").string("/run/docker.sock").string("").u32(0)),
      Lines{"OPEN_FAILURE 5 2 open failed"});
  EXPECT_EQ(take_event<ForwardRequest>(events_).host, "/run/docker.sock");
  EXPECT_EQ(after(open(5, "tun@openssh.com").u32(1).u32(0)),
            (Lines{"DEBUG Server has rejected tunnel device forwarding",
                   "OPEN_FAILURE 5 2 open failed"}));
  EXPECT_EQ(after(open(5, "tun@openssh.com").u32(3)),
            (Lines{"DEBUG Unsupported tunnel device mode.", "OPEN_FAILURE 5 2 open failed"}));
}

TEST_F(ConnectionTest, GlobalForwardings) {
  const auto forward = [this](std::string_view host, std::uint32_t port) {
    return after(global("tcpip-forward").string(host).u32(port));
  };
  const auto cancel = [this](std::string_view host, std::uint32_t port) {
    return after(global("cancel-tcpip-forward").string(host).u32(port));
  };
  EXPECT_EQ(forward("", 70000), Lines{"REQUEST_SUCCESS "});
  EXPECT_EQ(after(open(1)), Lines{"OPENED 1 2 0 32768"});  // two sockets took 0 and 1
  EXPECT_EQ(forward("example", 70000), Lines{"REQUEST_FAILURE"});
  EXPECT_EQ(cancel("localhost", 4464), Lines{"REQUEST_FAILURE"});
  EXPECT_EQ(cancel("", 4464), Lines{"REQUEST_SUCCESS "});
  EXPECT_EQ(cancel("", 4464), Lines{"REQUEST_FAILURE"});
  const Lines denied{"DEBUG Server has disabled port forwarding.", "REQUEST_FAILURE"};
  EXPECT_EQ(forward("localhost", 22), denied);  // not root
  EXPECT_EQ(forward("127.0.0.1", 9000), Lines{"REQUEST_SUCCESS "});
  EXPECT_EQ(forward("::1", 9000), Lines{"REQUEST_SUCCESS "});
  EXPECT_EQ(forward("::1", 9000), Lines{"REQUEST_FAILURE"});
  const Lines drawn = forward("", 0);
  ASSERT_EQ(drawn.size(), 1U);
  EXPECT_EQ(drawn[0].size(), std::string("REQUEST_SUCCESS 00009d35").size()) << drawn[0];
  EXPECT_EQ(forward("", 80), denied);
  EXPECT_EQ(after(global("streamlocal-forward@openssh.com").string("/tmp/s")),
            Lines{"REQUEST_SUCCESS "});
  EXPECT_EQ(after(global("streamlocal-forward@openssh.com").string("/tmp/s")),
            Lines{"REQUEST_FAILURE"});
  EXPECT_EQ(after(global("streamlocal-forward@openssh.com").string("/no/such")),
            Lines{"REQUEST_FAILURE"});
  EXPECT_EQ(after(global("cancel-streamlocal-forward@openssh.com").string("/tmp/s")),
            Lines{"REQUEST_SUCCESS "});
  events_.clear();
  connection_.reset();
  profile_.no_port_forwarding = true;
  EXPECT_EQ(after(global("tcpip-forward").string("").u32(8080)),
            (Lines{"DEBUG Server has disabled port forwarding.", "REQUEST_FAILURE"}));
  EXPECT_EQ(take_event<ForwardRequest>(events_).port, 8080U);
  EXPECT_EQ(after(global("tcpip-forward", false).string("").u32(80)),
            Lines{"DEBUG Server has disabled port forwarding."});
  EXPECT_EQ(after(global("cancel-tcpip-forward").string("").u32(80)), Lines{"REQUEST_FAILURE"});
  EXPECT_EQ(after(global("streamlocal-forward@openssh.com").string("/tmp/s")),
            (Lines{"DEBUG Server has disabled streamlocal forwarding.", "REQUEST_FAILURE"}));
}

TEST_F(ConnectionTest, TellsOfEachTimeThatTheKeyWasFound) {
  connection().tell_key_options(2);
  const std::string line =
      "DEBUG /home/admin/.ssh/authorized_keys:1: key options: agent-forwarding port-forwarding pty "
      "user-rc x11-forwarding";
  EXPECT_EQ(sink_.take(), (Lines{line, line}));
}

TEST_F(ConnectionTest, UnknownGlobalRequestsFailOnlyIfAsked) {
  for (const char* name : {"keepalive@openssh.com", "x"}) {
    EXPECT_EQ(after(global(name)), Lines{"REQUEST_FAILURE"});
    EXPECT_EQ(after(global(name, false)), Lines{});
    EXPECT_EQ(take_event<GlobalRequest>(events_).name, name);
    events_.clear();
  }
}

TEST_F(ConnectionTest, ProvesHostKeys) {
  packet(global("hostkeys-prove-00@openssh.com").string("D").string("R"));
  const auto needed = take_event<ProveNeeded>(events_);
  EXPECT_EQ(needed.session_identifier, base::to_bytes("sid"));
  const std::vector<std::pair<std::size_t, std::string>> expected = {{2, "ssh-ed25519"},
                                                                     {0, "rsa-sha2-512"}};
  EXPECT_EQ(needed.keys, expected);
  EXPECT_TRUE(connection().waiting());
  connection().submit_proofs(needed.id, {base::to_bytes("s1"), base::to_bytes("s2")});
  EXPECT_FALSE(connection().waiting());
  EXPECT_EQ(sink_.take(), Lines{"REQUEST_SUCCESS 000000027331000000027332"});
  connection().submit_proofs(needed.id, {});
  EXPECT_TRUE(sink_.take().empty());
}

TEST_F(ConnectionTest, ProofsThatFail) {
  EXPECT_EQ(after(global("hostkeys-prove-00@openssh.com").string("X")), Lines{"REQUEST_FAILURE"});
  EXPECT_EQ(after(global("hostkeys-prove-00@openssh.com").u32(9)), Lines{"REQUEST_FAILURE"});
  Writer many = global("hostkeys-prove-00@openssh.com");
  for (int i = 0; i < 17; ++i) many.string("D");
  EXPECT_EQ(after(many), Lines{"REQUEST_FAILURE"});
  EXPECT_TRUE(events_.empty());
  packet(global("hostkeys-prove-00@openssh.com").string("R"));
  connection().submit_proofs(take_event<ProveNeeded>(events_).id, {});
  EXPECT_EQ(sink_.take(), Lines{"REQUEST_FAILURE"});
}

TEST_F(ConnectionTest, UnexpectedMessages) {
  EXPECT_EQ(after(Writer(message::kUserauthRequest)), Lines{"UNIMPLEMENTED 9"});
  EXPECT_EQ(after(Writer(101)), Lines{"UNIMPLEMENTED 10"});
  for (const std::uint8_t type : {message::kRequestSuccess, message::kRequestFailure,
                                  message::kChannelSuccess, message::kChannelFailure}) {
    EXPECT_EQ(after(Writer(type)), Lines{});
  }
}

struct TextCase {
  std::string name;
  Writer packet;
  std::string answer;
};
class ConnectionTextTest : public ConnectionTest, public ::testing::WithParamInterface<TextCase> {};

// openssh-server 9.2's words for packets that make no sense; one session (number 0) is open.
TEST_P(ConnectionTextTest, AnswersAsSshd) {
  after(open(50));
  const Lines lines = after(GetParam().packet);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0], GetParam().answer);
}

INSTANTIATE_TEST_SUITE_P(
    Texts, ConnectionTextTest,
    ::testing::Values(
        TextCase{"data", Writer(94).u32(3).string("x"),
                 "DISCONNECT data packet referred to nonexistent channel 3"},
        TextCase{"extended", Writer(95).u32(3).u32(1).string("x"),
                 "DISCONNECT extended data packet referred to nonexistent channel 3"},
        TextCase{"eof", Writer(96).u32(1),
                 "DISCONNECT ieof packet referred to nonexistent channel 1"},
        TextCase{"close", Writer(97).u32(1),
                 "DISCONNECT oclose packet referred to nonexistent channel 1"},
        TextCase{"request", Writer(98).u32(0xffffffff).string("shell").boolean(true),
                 "DISCONNECT server_input_channel_req: unknown channel -1"},
        TextCase{"bigid", Writer(97).u32(0x80000000), "DISCONNECT Invalid oclose channel id"},
        TextCase{"shorteof", Writer(96).byte(0), "DISCONNECT Invalid ieof message"},
        TextCase{"shortclose", Writer(97), "DISCONNECT Invalid oclose message"},
        TextCase{"longclose", Writer(97).u32(0).byte(0), "DISCONNECT Invalid oclose message"},
        TextCase{"shortdata", Writer(94), "DISCONNECT Invalid data message"},
        TextCase{"shortadjust", Writer(93).u32(0), "DISCONNECT Invalid window adjust message"},
        TextCase{"confirmation", Writer(91).u32(0),
                 "DISCONNECT Received open confirmation for non-opening channel 0."},
        TextCase{"failure", Writer(92).u32(0),
                 "DISCONNECT Received open failure for non-opening channel 0."},
        TextCase{"noconfirmation", Writer(91).u32(2),
                 "DISCONNECT open confirmation packet referred to nonexistent channel 2"},
        TextCase{"overflow", Writer(93).u32(0).u32(0xffffffff), "CLOSE_SILENTLY"},
        TextCase{"shortopen", Writer(90).string("session").u32(1), "CLOSE_SILENTLY"},
        TextCase{"longopen", Writer(90).string("session").u32(1).u32(1).u32(1).byte(0),
                 "CLOSE_SILENTLY"},
        TextCase{"shortdirect",
                 Writer(90).string("direct-tcpip").u32(1).u32(1).u32(1).string("h").u32(1),
                 "CLOSE_SILENTLY"},
        TextCase{"shortglobal", Writer(80).string("x"), "CLOSE_SILENTLY"},
        TextCase{"shortforward", Writer(80).string("tcpip-forward").byte(1).string("h"),
                 "CLOSE_SILENTLY"},
        TextCase{"shortrequest", Writer(98).u32(0).string("shell"), "CLOSE_SILENTLY"},
        TextCase{"longshell", Writer(98).u32(0).string("shell").boolean(true).byte(0),
                 "CLOSE_SILENTLY"},
        TextCase{"shortexec", Writer(98).u32(0).string("exec").boolean(true), "CLOSE_SILENTLY"},
        TextCase{"shortpty", Writer(98).u32(0).string("pty-req").boolean(true).string("vt100"),
                 "CLOSE_SILENTLY"},
        TextCase{"unknown", Writer(98).u32(0).string("x").boolean(true).byte(9), "FAILURE 50"}),
    [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace sandtrap::ssh
