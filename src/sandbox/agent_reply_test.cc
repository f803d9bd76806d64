#include "sandbox/agent_reply.h"

#include <gtest/gtest.h>

namespace sandtrap::sandbox {
namespace {

using Kind = AgentReply::Kind;

std::optional<AgentReply> decode(std::initializer_list<std::uint8_t> bytes) {
  const base::Bytes packet(bytes);
  return decode_agent_reply(packet);
}

TEST(AgentReply, SaysHowAProgramBegan) {
  EXPECT_EQ(decode({'S'})->kind, Kind::kStarted);
  EXPECT_EQ(decode({'F'})->kind, Kind::kFailed);
}

TEST(AgentReply, SaysHowAProgramEnded) {
  const auto status = decode({'X', 0, 255, 0});
  ASSERT_EQ(status->kind, Kind::kExited);
  EXPECT_EQ(status->exit.kind, ExitResult::Kind::kStatus);
  EXPECT_EQ(status->exit.value, 255);
  const auto signal = decode({'X', 1, 11, 1});
  ASSERT_EQ(signal->kind, Kind::kExited);
  EXPECT_EQ(signal->exit.kind, ExitResult::Kind::kSignal);
  EXPECT_EQ(signal->exit.value, 11);
  EXPECT_TRUE(signal->exit.core_dumped);
}

TEST(AgentReply, NothingElseIsOne) {
  EXPECT_FALSE(decode({}));
  EXPECT_FALSE(decode({'S', 0}));
  EXPECT_FALSE(decode({'x', 0, 0, 0}));
  EXPECT_FALSE(decode({'X', 0, 0}));
  EXPECT_FALSE(decode({'X', 0, 0, 0, 0}));
  EXPECT_FALSE(decode({'X', 0, 0, 1}));   // a status dumps no core
  EXPECT_FALSE(decode({'X', 1, 0, 0}));   // no signal has the number 0
  EXPECT_FALSE(decode({'X', 1, 65, 0}));  // nor 65
  EXPECT_FALSE(decode({'X', 2, 0, 0}));
}

}  // namespace
}  // namespace sandtrap::sandbox
