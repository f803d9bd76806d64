// What comes from inside a sandbox about a program: any bytes, and only sane ends come out.
#include "base/error.h"
#include "sandbox/agent_reply.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sandtrap;
  using sandbox::AgentReply;
  using sandbox::ExitResult;
  const auto reply = sandbox::decode_agent_reply(base::ByteView(data, size));
  if (!reply) return 0;
  SANDTRAP_CHECK(size <= sandbox::kMaxAgentReply);
  const ExitResult& exit = reply->exit;
  if (reply->kind != AgentReply::Kind::kExited) {
    SANDTRAP_CHECK(exit.kind == ExitResult::Kind::kUnknown);
  } else if (exit.kind == ExitResult::Kind::kSignal) {
    SANDTRAP_CHECK(exit.value > 0 && exit.value <= 64);
  } else {
    SANDTRAP_CHECK(exit.kind == ExitResult::Kind::kStatus && !exit.core_dumped);
    SANDTRAP_CHECK(exit.value >= 0 && exit.value <= 255);
  }
  return 0;
}
