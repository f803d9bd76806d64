#include "ipc/permissions.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <vector>

namespace sandtrap::ipc {
namespace {

constexpr const char* kId = "0123456789ab";

std::vector<Message> gate_requests() {
  std::vector<Message> all;
  SessionResumed resumed{kId, "192.0.2.1", "root", 5, false, {}};
  Sign sign;
  sign.session = kId;
  Prove prove;
  prove.session = kId;
  Authenticate authenticate;
  authenticate.session = kId;
  OpenProcess open;
  open.session = kId;
  all.emplace_back(SessionOpened{kId, "192.0.2.1", 5, "192.0.2.2", 22});
  all.emplace_back(resumed);
  all.emplace_back(sign);
  all.emplace_back(prove);
  all.emplace_back(authenticate);
  all.emplace_back(open);
  all.emplace_back(ResizeProcess{kId, 0, 80, 24, 0, 0});
  all.emplace_back(SignalProcess{kId, 0, "TERM"});
  all.emplace_back(CloseProcess{kId, 0});
  all.emplace_back(RecordingNamed{kId, 0, "recordings/x.cast"});
  all.emplace_back(SessionClosed{kId});
  return all;
}

std::vector<Message> not_gate_requests() {
  std::vector<Message> all;
  all.emplace_back(Welcome{});
  all.emplace_back(CaseAssigned{kId, "x"});
  all.emplace_back(Signed{kId, 0, {}});
  all.emplace_back(AuthDecision{kId, 0, true, "x"});
  all.emplace_back(ProcessOpened{});
  all.emplace_back(ProcessRefused{});
  all.emplace_back(ProcessExited{});
  all.emplace_back(EndSession{});
  all.emplace_back(OpenEventLog{});
  all.emplace_back(OpenRecording{});
  all.emplace_back(FinishRecording{});
  all.emplace_back(RecordingGrew{});
  all.emplace_back(EventLogOpened{});
  all.emplace_back(RecordingOpened{});
  all.emplace_back(RecordingRefused{});
  all.emplace_back(PeerConnected{"gate"});
  all.emplace_back(ListeningSockets{});
  all.emplace_back(Drain{});
  all.emplace_back(Reload{});
  all.emplace_back(RoleReady{});
  all.emplace_back(ReloadResult{});
  all.emplace_back(RoleDrained{});
  all.emplace_back(GateDenied{});
  return all;
}

Message example(std::string_view request) {
  const auto all = gate_requests();
  return *std::find_if(all.begin(), all.end(),
                       [&](const Message& m) { return name(m) == request; });
}

OpenProcess open_channel(std::uint32_t channel) {
  OpenProcess open;
  open.session = kId;
  open.channel = channel;
  return open;
}

SessionPermits in_phase(Phase phase, PermitLimits limits = {}) {
  SessionPermits permits(limits);
  if (phase == Phase::kUnknown) return permits;
  EXPECT_TRUE(permits.request(example("SessionOpened")));
  if (phase == Phase::kPreAuth) return permits;
  permits.authenticated();
  if (phase == Phase::kAuthenticated) return permits;
  EXPECT_TRUE(permits.request(example("SessionClosed")));
  return permits;
}

TEST(Permissions, EveryGateRequestHasOneRowAndNothingElseHas) {
  const auto table = permission_table();
  EXPECT_EQ(gate_requests().size() + not_gate_requests().size(), std::variant_size_v<Message>);
  EXPECT_EQ(table.size(), gate_requests().size());
  for (const Message& m : gate_requests()) {
    EXPECT_EQ(std::count_if(table.begin(), table.end(),
                            [&](const Permission& row) { return row.request == name(m); }),
              1)
        << name(m);
  }
}

TEST(Permissions, EachRowIsAllowedInExactlyItsPhases) {
  for (const Permission& row : permission_table()) {
    for (const Phase phase :
         {Phase::kUnknown, Phase::kPreAuth, Phase::kAuthenticated, Phase::kGone}) {
      SessionPermits permits = in_phase(phase);
      if (phase == Phase::kAuthenticated && (row.flags & kNeedsChannel) != 0) {
        ASSERT_TRUE(permits.request(open_channel(0)));
      }
      const bool allowed =
          std::find(row.phases.begin(), row.phases.end(), phase) != row.phases.end();
      const auto status = permits.request(example(row.request));
      EXPECT_EQ(status.has_value(), allowed) << row.request << " in " << static_cast<int>(phase);
      if (!status) {
        EXPECT_EQ(status.error().code, base::Errc::kDenied);
      }
    }
  }
}

TEST(Permissions, WhatIsNoGateRequestIsDeniedInEveryPhase) {
  for (const Message& m : not_gate_requests()) {
    for (const Phase phase :
         {Phase::kUnknown, Phase::kPreAuth, Phase::kAuthenticated, Phase::kGone}) {
      const auto status = in_phase(phase).request(m);
      ASSERT_FALSE(status) << name(m);
      EXPECT_EQ(status.error().code, base::Errc::kDenied);
    }
  }
}

TEST(Permissions, OnceRowsAreAllowedOnce) {
  for (const Permission& row : permission_table()) {
    if ((row.flags & kOnce) == 0) continue;
    SessionPermits permits = in_phase(row.phases[0]);
    EXPECT_TRUE(permits.request(example(row.request))) << row.request;
    EXPECT_FALSE(permits.request(example(row.request))) << row.request;
  }
}

TEST(Permissions, ChannelRowsNeedAnOpenedChannel) {
  for (const Permission& row : permission_table()) {
    if ((row.flags & kNeedsChannel) == 0) continue;
    SessionPermits permits = in_phase(Phase::kAuthenticated);
    EXPECT_FALSE(permits.request(example(row.request))) << row.request;
    ASSERT_TRUE(permits.request(open_channel(0)));
    EXPECT_TRUE(permits.request(example(row.request))) << row.request;
  }
}

TEST(Permissions, AMessageThatCrossedTheProcessesEndIsNotDenied) {
  SessionPermits permits = in_phase(Phase::kAuthenticated);
  ASSERT_TRUE(permits.request(open_channel(3)));
  permits.process_ended(3);
  EXPECT_TRUE(permits.request(SignalProcess{kId, 3, "TERM"}));
  EXPECT_TRUE(permits.request(CloseProcess{kId, 3}));
  EXPECT_TRUE(permits.request(open_channel(3)));
}

TEST(Permissions, CountsRefuseWithoutBlamingTheGate) {
  PermitLimits limits;
  limits.max_auth_attempts = limits.max_signatures = limits.max_recordings = 2;
  limits.max_processes = 2;
  for (const char* request : {"Sign", "RecordingNamed"}) {
    SessionPermits permits = in_phase(Phase::kAuthenticated, limits);
    EXPECT_TRUE(permits.request(example(request)));
    EXPECT_TRUE(permits.request(example(request)));
    const auto third = permits.request(example(request));
    ASSERT_FALSE(third) << request;
    EXPECT_EQ(third.error().code, base::Errc::kLimit) << request;
  }
  SessionPermits login = in_phase(Phase::kPreAuth, limits);
  EXPECT_TRUE(login.request(example("Authenticate")));
  EXPECT_TRUE(login.request(example("Authenticate")));
  const auto attempt = login.request(example("Authenticate"));
  ASSERT_FALSE(attempt);
  EXPECT_EQ(attempt.error().code, base::Errc::kLimit);

  SessionPermits programs = in_phase(Phase::kAuthenticated, limits);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(programs.request(open_channel(0)));
    programs.process_ended(0);
  }
  EXPECT_EQ(programs.request(open_channel(0)).error().code, base::Errc::kLimit);
}

TEST(Permissions, OpenChannelsAreBoundedAndDistinct) {
  PermitLimits limits;
  limits.max_channels = 2;
  SessionPermits permits = in_phase(Phase::kAuthenticated, limits);
  EXPECT_TRUE(permits.request(open_channel(0)));
  EXPECT_EQ(permits.request(open_channel(0)).error().code, base::Errc::kDenied);
  EXPECT_TRUE(permits.request(open_channel(1)));
  EXPECT_EQ(permits.request(open_channel(2)).error().code, base::Errc::kLimit);
  permits.process_ended(0);
  EXPECT_TRUE(permits.request(open_channel(2)));
  EXPECT_EQ(permits.request(open_channel(kMaxChannelNumber)).error().code, base::Errc::kDenied);
}

TEST(Permissions, AResumedSessionKeepsItsPhaseAndChannels) {
  SessionPermits permits{PermitLimits{}};
  ASSERT_TRUE(permits.request(SessionResumed{kId, "192.0.2.1", "root", 5, true, {4}}));
  EXPECT_EQ(permits.phase(), Phase::kAuthenticated);
  EXPECT_TRUE(permits.request(CloseProcess{kId, 4}));
  EXPECT_FALSE(permits.request(CloseProcess{kId, 5}));

  SessionPermits before{PermitLimits{}};
  ASSERT_TRUE(before.request(SessionResumed{kId, "192.0.2.1", "", 5, false, {}}));
  EXPECT_EQ(before.phase(), Phase::kPreAuth);

  SessionPermits many{PermitLimits{}};
  const std::vector<std::uint32_t> channels(11, 1);
  EXPECT_FALSE(many.request(SessionResumed{kId, "192.0.2.1", "root", 5, true, channels}));
  EXPECT_EQ(many.phase(), Phase::kUnknown);
}

TEST(Permissions, NoOrderOfRequestsOpensAProcessBeforeAuthenticationOrPastTheBounds) {
  EXPECT_TRUE(rc::check([] {
    const auto all = gate_requests();
    SessionPermits permits{PermitLimits{}};
    bool accepted = false;
    const auto steps = *rc::gen::container<std::vector<unsigned>>(rc::gen::inRange(0U, 40U));
    for (const unsigned step : steps) {
      if (step >= 30) {
        if (step == 30 && permits.phase() == Phase::kPreAuth) {
          permits.authenticated();
          accepted = true;
        }
        if (step > 30) permits.process_ended(step - 31);
        continue;
      }
      const Message m = step >= 11 ? Message(open_channel(step - 11)) : all[step];
      const Phase before = permits.phase();
      const bool ok = permits.request(m).has_value();
      if (ok && std::holds_alternative<OpenProcess>(m)) RC_ASSERT(accepted);
      if (!ok) RC_ASSERT(permits.phase() == before);
      RC_ASSERT(permits.open_channels() <= PermitLimits{}.max_channels);
    }
  }));
}

}  // namespace
}  // namespace sandtrap::ipc
