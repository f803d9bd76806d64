#include "sandbox/agent_reply.h"

namespace sandtrap::sandbox {
namespace {

constexpr int kLastSignal = 64;

}  // namespace

std::optional<AgentReply> decode_agent_reply(base::ByteView packet) {
  if (packet.size() == 1 && packet[0] == 'S') return AgentReply{AgentReply::Kind::kStarted, {}};
  if (packet.size() == 1 && packet[0] == 'F') return AgentReply{AgentReply::Kind::kFailed, {}};
  if (packet.size() != kMaxAgentReply || packet[0] != 'X') return std::nullopt;
  AgentReply reply{AgentReply::Kind::kExited, {}};
  reply.exit.value = packet[2];
  if (packet[1] == 0 && packet[3] == 0) {
    reply.exit.kind = ExitResult::Kind::kStatus;
    return reply;
  }
  if (packet[1] != 1 || packet[3] > 1 || packet[2] == 0 || packet[2] > kLastSignal)
    return std::nullopt;
  reply.exit.kind = ExitResult::Kind::kSignal;
  reply.exit.core_dumped = packet[3] == 1;
  return reply;
}

}  // namespace sandtrap::sandbox
