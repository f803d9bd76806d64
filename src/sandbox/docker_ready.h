// The announcement of the guest's login (start=wait, guest/README.md) at the beginning of an exec's
// stream: proof that the bytes are the guest's and not the engine's, and its pid inside.
#pragma once

#include "sandbox/docker_context.h"

namespace sandtrap::sandbox {

// What login wrote so far: incomplete, its pid inside the sandbox, or not login at all.
struct GuestReady {
  enum class State { kIncomplete, kReady, kForeign } state = State::kIncomplete;
  int pid = 0;
};
GuestReady parse_guest_ready(base::ByteView bytes, bool multiplexed);

// Reads `fd` up to and including the announcement, within the exec deadline; `early` came with the
// headers. Nothing follows it until we answer. The error holds the engine's words, for our log.
Task<base::Result<int>> await_guest_ready(DockerContext& context, base::Fd& fd, base::Bytes early,
                                          bool multiplexed);

}  // namespace sandtrap::sandbox
