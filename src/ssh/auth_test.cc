#include "ssh/auth.h"

#include <gtest/gtest.h>

#include "ssh/auth_delay.h"
#include "ssh/connection_recorder_test.h"

namespace sandtrap::ssh {
namespace {

using namespace std::chrono_literals;
constexpr std::uint64_t kSecret = 42;
const std::string kFailureLine = "AUTH_FAILURE publickey,password";

class ZeroEntropy final : public base::Entropy {
 public:
  void fill(base::MutableByteView out) override {
    for (std::uint8_t& b : out) b = 0;
  }
};

class AuthTest : public ::testing::Test {
 protected:
  AuthTest() {
    profile_.ext_info = {{"publickey-hostbound@openssh.com", "0"}};
    profile_.accepted_user_key_algorithms = {"ssh-ed25519"};
  }

  void packet(const Writer& w) { auth().handle(Packet{sequence_++, w.view()}, now_); }
  void service() {
    packet(Writer(message::kServiceRequest).string("ssh-userauth"));
    EXPECT_EQ(sink_.take(), Lines{"SERVICE_ACCEPT ssh-userauth"});
  }
  static Writer request(std::string_view user, std::string_view method,
                        std::string_view service = "ssh-connection") {
    Writer w(message::kUserauthRequest);
    w.string(user).string(service).string(method);
    return w;
  }
  static Writer password(std::string_view user, std::string_view text) {
    return request(user, "password").boolean(false).string(text);
  }
  Auth& auth() {
    if (!auth_) auth_.emplace(profile_, sink_, events_, entropy_, kSecret);
    return *auth_;
  }
  // Runs to the end of the held reply; returns how long it was held.
  base::Duration release() {
    const std::optional<Instant> until = auth().deadline();
    if (!until) return base::Duration(-1);
    auth().tick(*until - 1ns);
    EXPECT_TRUE(auth().waiting());
    auth().tick(*until);
    EXPECT_FALSE(auth().waiting());
    return *until - now_;
  }

  Profile profile_;
  PacketRecorder sink_;
  std::vector<Event> events_;
  ZeroEntropy entropy_;
  std::optional<Auth> auth_;
  Instant now_{1h};
  std::uint32_t sequence_ = 3;
};

TEST_F(AuthTest, ServiceRequestIsAcceptedAndMayRepeat) {
  service();
  service();
}

TEST_F(AuthTest, OtherServiceIsNamedInDisconnect) {
  packet(Writer(message::kServiceRequest).string("ssh-connection"));
  EXPECT_EQ(sink_.take(), Lines{"DISCONNECT bad service request ssh-connection"});
}

TEST_F(AuthTest, DisconnectTextIsCutAsSshdCutsIt) {
  packet(Writer(message::kServiceRequest).string(std::string(5000, 'x')));
  const Lines lines = sink_.take();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].size(), std::string("DISCONNECT ").size() + 1023);
}

TEST_F(AuthTest, MessagesOutOfPlaceAreUnimplemented) {
  packet(request("root", "none"));  // before the service request
  EXPECT_EQ(sink_.take(), Lines{"UNIMPLEMENTED 3"});
  service();
  packet(Writer(message::kUserauthInfoResponse).u32(0));
  packet(Writer(message::kChannelOpen).string("session"));
  EXPECT_EQ(sink_.take(), (Lines{"UNIMPLEMENTED 5", "UNIMPLEMENTED 6"}));
}

TEST_F(AuthTest, MalformedRequestsCloseSilently) {
  const Writer cases[] = {
      Writer(message::kServiceRequest),
      Writer(message::kServiceRequest).string("ssh-userauth").byte(0),
      Writer(message::kUserauthRequest).string("root"),
      request("root", "none").byte(1),
      request("ro\0ot\0x", "none").byte(1),
      request(std::string_view("ro\0ot", 5), "password").boolean(false).string("x"),
      request("root", "password").boolean(false),
      request("root", "password").boolean(false).string("x").byte(0),
      request("root", "password").boolean(false).string(std::string_view("a\0b", 3)),
      request("root", "password").boolean(true).string("x"),
      request("root", "publickey").boolean(false),
      request("root", "publickey").boolean(false).string("ssh-ed25519"),
  };
  for (const Writer& w : cases) {
    auth_.reset();
    service();
    packet(w);
    EXPECT_EQ(sink_.take(), Lines{"CLOSE_SILENTLY"}) << base::to_hex(w.view());
  }
}

TEST_F(AuthTest, NoneIsRefusedAfterTheBaseDelay) {
  service();
  packet(request("root", "none"));
  const auto attempt = take_event<AuthAttempt>(events_);
  EXPECT_FALSE(attempt.needs_decision);
  EXPECT_EQ(attempt.number, 1U);
  EXPECT_TRUE(sink_.take().empty());
  EXPECT_EQ(release(), base_failure_delay(kSecret, "root"));
  EXPECT_EQ(sink_.take(), Lines{kFailureLine});
}

TEST_F(AuthTest, NoneIsImmediateWhereTheProfileSaysSo) {
  profile_.none_is_immediate = true;
  service();
  packet(request("root", "none"));
  EXPECT_EQ(sink_.take(), Lines{kFailureLine});
  EXPECT_FALSE(auth().waiting());
}

TEST_F(AuthTest, WrongPasswordTakesPamDelayRoundedUp) {
  service();
  packet(password("admin", "123456"));
  const auto attempt = take_event<AuthAttempt>(events_);
  EXPECT_TRUE(attempt.needs_decision);
  EXPECT_EQ(attempt.user, "admin");
  EXPECT_EQ(std::get<PasswordCredential>(attempt.credential).password, "123456");
  EXPECT_TRUE(auth().waiting());
  EXPECT_FALSE(auth().deadline());
  auth().submit(attempt.id + 1, true, now_);  // not this one
  EXPECT_TRUE(sink_.take().empty());
  auth().submit(attempt.id, false, now_ + 20ms);
  const base::Duration b = base_failure_delay(kSecret, "admin");
  EXPECT_EQ(release(), padded_failure_delay(b, 1020ms));
  EXPECT_EQ(sink_.take(), Lines{kFailureLine});
}

TEST_F(AuthTest, ThePamDelayGoesByTheSecondOfTheAttempt) {
  profile_.quantise_delays = true;
  constexpr std::int64_t kSecond = 1795323020;  // told 2.5 s before the attempt, which is in ...22
  auth().set_clock(now_, base::WallTime{kSecond * 1'000'000});
  now_ += 2500ms;
  service();
  packet(password("admin", "123456"));
  auth().submit(take_event<AuthAttempt>(events_).id, false, now_);
  const base::Duration pam = clocked_delay(1s, 3s, kSecond + 2);
  EXPECT_NE(pam, clocked_delay(1s, 3s, kSecond));
  EXPECT_EQ(release(), padded_failure_delay(base_failure_delay(kSecret, "admin"), pam));

  profile_.pam_delay_by_clock = false;  // ZeroEntropy draws the least
  packet(password("admin", "123456"));
  auth().submit(take_event<AuthAttempt>(events_).id, false, now_);
  EXPECT_EQ(release(), padded_failure_delay(base_failure_delay(kSecret, "admin"), 1s));
}

TEST_F(AuthTest, RightPasswordIsNotDelayed) {
  service();
  packet(password("root:style", "letmein"));
  const auto attempt = take_event<AuthAttempt>(events_);
  EXPECT_EQ(attempt.user, "root");
  auth().submit(attempt.id, true, now_);
  EXPECT_EQ(sink_.take(), Lines{"AUTH_SUCCESS"});
  const auto done = take_event<Authenticated>(events_);
  EXPECT_EQ(done.user, "root");
  EXPECT_EQ(done.method, "password");
  EXPECT_TRUE(auth().succeeded());
}

TEST_F(AuthTest, FastFailuresNeedNoDecisionAndOnlyTheBaseDelay) {
  const Writer cases[] = {
      password("root", ""),
      password("root", std::string(1025, 'x')),
      request("root", "password").boolean(true).string("old").string("new"),
      request("root", "hostbased"),
      request("root", "gssapi-with-mic").u32(1),
      request("root", "keyboard-interactive").string("").string(""),
      request("root", "publickey").boolean(false).string("ssh-dss").string("?"),
      request("root", "publickey").boolean(true).string("ssh-rsa").string("?"),
      request("root", "publickey").boolean(false).string("ssh-ed25519").string("garbage"),
      request("root", "").byte(1),
  };
  for (const Writer& w : cases) {
    auth_.reset();
    service();
    packet(w);
    EXPECT_FALSE(take_event<AuthAttempt>(events_).needs_decision) << base::to_hex(w.view());
    EXPECT_EQ(release(), base_failure_delay(kSecret, "root"));
    EXPECT_EQ(sink_.take(), Lines{kFailureLine});
  }
}

TEST_F(AuthTest, SixthFailureDisconnects) {
  service();
  for (int i = 0; i < 6; ++i) {
    packet(password("root", ""));
    release();
  }
  Lines expected(5, kFailureLine);
  expected.emplace_back("DISCONNECT Too many authentication failures");
  EXPECT_EQ(sink_.take(), expected);
}

TEST_F(AuthTest, FirstNoneDoesNotCountButLaterOnesDo) {
  service();
  for (int i = 0; i < 7; ++i) {
    packet(request("root", "none"));
    release();
  }
  Lines expected(6, kFailureLine);
  expected.emplace_back("DISCONNECT Too many authentication failures");
  EXPECT_EQ(sink_.take(), expected);
}

TEST_F(AuthTest, UserAndServiceMayNotChange) {
  const std::pair<Writer, std::string> cases[] = {
      {request("b", "none"), "(a,ssh-connection) -> (b,ssh-connection)"},
      {request("a", "none", "x"), "(a,ssh-connection) -> (a,x)"},
  };
  for (const auto& [second, text] : cases) {
    auth_.reset();
    service();
    packet(request("a:x", "none"));
    release();
    packet(request("a", "none"));  // the style may differ
    release();
    sink_.take();
    packet(second);
    EXPECT_EQ(sink_.take(), Lines{"DISCONNECT Change of username or service not allowed: " + text});
  }
}

TEST_F(AuthTest, AnotherServiceNeverSucceeds) {
  service();
  packet(request("root", "password", "ssh-x").boolean(false).string("letmein"));
  EXPECT_FALSE(take_event<AuthAttempt>(events_).needs_decision);
  EXPECT_GE(release(), 1000ms);
  EXPECT_EQ(sink_.take(), Lines{kFailureLine});
}

TEST_F(AuthTest, PacketsWaitWhileAReplyIsHeld) {
  service();
  packet(request("root", "none"));
  EXPECT_TRUE(auth().waiting());
  packet(password("root", "x"));  // a caller that does not wait is ignored
  events_.clear();
  release();
  EXPECT_EQ(sink_.take(), Lines{kFailureLine});
  EXPECT_TRUE(events_.empty());
}

TEST_F(AuthTest, TestsMayTurnDelaysOff) {
  profile_.quantise_delays = false;
  service();
  packet(password("root", "x"));
  auth().submit(take_event<AuthAttempt>(events_).id, false, now_);
  EXPECT_EQ(sink_.take(), Lines{kFailureLine});
}

TEST_F(AuthTest, TooManyRequestsDisconnectAtOnce) {
  profile_.max_auth_tries = 5000;
  profile_.quantise_delays = false;
  service();
  for (int i = 0; i < 1024; ++i) packet(request("root", "none"));
  EXPECT_EQ(sink_.take(), Lines(1024, kFailureLine));
  packet(request("root", "none"));
  EXPECT_EQ(sink_.take(), Lines{"DISCONNECT Too many authentication failures"});
}

class KeyboardInteractiveTest : public AuthTest {
 protected:
  KeyboardInteractiveTest() { profile_.keyboard_interactive = true; }
  void begin(std::string_view submethods = "") {
    service();
    packet(request("root", "keyboard-interactive").string("").string(submethods));
  }
  static Writer response(const std::vector<std::string>& answers) {
    Writer w(message::kUserauthInfoResponse);
    w.u32(static_cast<std::uint32_t>(answers.size()));
    for (const std::string& a : answers) w.string(a);
    return w;
  }
  // name, instruction, language, prompts
  const std::string prompt_ =
      "TYPE 60 000000000000000000000000000000010000000a50617373776f72643a2000";
  const std::string no_prompt_ = "TYPE 60 00000000000000000000000000000000";
};

TEST_F(KeyboardInteractiveTest, RightAnswerGetsPamsEmptyRoundThenSuccess) {
  begin("pam");
  EXPECT_EQ(sink_.take(), Lines{prompt_});
  packet(response({"letmein"}));
  const auto attempt = take_event<AuthAttempt>(events_);
  const auto& credential = std::get<KeyboardInteractiveCredential>(attempt.credential);
  EXPECT_EQ(credential.answers, std::vector<std::string>{"letmein"});
  EXPECT_EQ(credential.submethods, "pam");
  auth().submit(attempt.id, true, now_);
  EXPECT_EQ(sink_.take(), Lines{no_prompt_});
  packet(response({}));
  EXPECT_EQ(sink_.take(), Lines{"AUTH_SUCCESS"});
  EXPECT_EQ(take_event<Authenticated>(events_).method, "keyboard-interactive");
}

TEST_F(KeyboardInteractiveTest, WrongAnswerFailsAfterPamDelayAndCounts) {
  begin();
  for (int i = 0; i < 6; ++i) {
    packet(response({"x"}));
    auth().submit(take_event<AuthAttempt>(events_).id, false, now_);
    EXPECT_EQ(release(), 1000ms);
    if (!sink_.closed()) packet(request("root", "keyboard-interactive").string("").string(""));
  }
  const Lines lines = sink_.take();
  EXPECT_EQ(lines.back(), "DISCONNECT Too many authentication failures");
}

TEST_F(KeyboardInteractiveTest, UnknownDeviceFailsFast) {
  begin("skey,bsdauth");
  EXPECT_EQ(release(), base_failure_delay(kSecret, "root"));
  EXPECT_EQ(sink_.take(), Lines{kFailureLine});
}

TEST_F(KeyboardInteractiveTest, WrongNumberOfAnswersClosesSilently) {
  for (const auto& answers : {std::vector<std::string>{}, std::vector<std::string>{"a", "b"},
                              std::vector<std::string>(101, "x")}) {
    auth_.reset();
    begin();
    sink_.take();
    packet(response(answers));
    EXPECT_EQ(sink_.take(), Lines{"CLOSE_SILENTLY"});
  }
}

TEST_F(KeyboardInteractiveTest, NewRequestEndsTheExchange) {
  begin();
  packet(request("root", "none"));
  release();
  sink_.take();
  packet(response({"x"}));
  EXPECT_EQ(sink_.take(), Lines{"UNIMPLEMENTED 6"});
}

}  // namespace
}  // namespace sandtrap::ssh
