// CHANNEL_REQUESTs of a session channel (RFC 4254 §6): what sshd accepts when, and what it answers.
// Used by Connection only.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "ssh/channel.h"
#include "ssh/profile.h"
#include "ssh/server.h"
#include "ssh/wire.h"

namespace sandtrap::ssh {

enum class RequestVerdict {
  kSuccess,
  kFailure,
  kLater,      // a program request: submit_program() answers
  kMalformed,  // sshd dies on a parse failure without a word
  kSecondPty,  // DISCONNECT
};

struct RequestContext {
  Channel& channel;
  const Profile& profile;
  PacketSink& sink;
  std::vector<Event>& events;
  bool& agent_requested;  // sshd's flag is per connection
  // Takes channel numbers for that many listening sockets; empty: none left.
  std::function<std::vector<ChannelId>(std::size_t)> listen;
  std::uint32_t free_display;  // the next number for DISPLAY
  bool refuse_signals;
};

// `body` stands behind want_reply.
RequestVerdict handle_channel_request(std::string_view type, Reader body,
                                      const RequestContext& context);

// Encoded terminal modes (RFC 4254 §8): false where sshd's parser would die.
bool valid_terminal_modes(ByteView modes);

// Does `name` match one of the patterns? A trailing * matches anything.
bool env_accepted(const std::vector<std::string>& patterns, std::string_view name);

}  // namespace sandtrap::ssh
