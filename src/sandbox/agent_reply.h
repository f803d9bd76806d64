// What the guest's agent says about one program, on a socket that serves this program alone
// (guest/README.md). Every byte comes from inside the sandbox: from the agent, or from whoever
// took its place. Pure.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "sandbox/exit_result.h"

namespace sandtrap::sandbox {

inline constexpr std::size_t kMaxAgentReply = 4;

struct AgentReply {
  enum class Kind { kStarted, kFailed, kExited } kind = Kind::kFailed;
  ExitResult exit;  // of kExited
};

// Empty: not a reply; its sender is not to be listened to any longer.
std::optional<AgentReply> decode_agent_reply(base::ByteView packet);

}  // namespace sandtrap::sandbox
