// The connection protocol against hostile packets, after a real handshake and login, while the
// programs behind the channels do whatever the fuzzer says.
//
// Input: operations. A byte below 128 is a packet (two-byte length, payload); above, the program of
// channel (byte & 7) does the thing that the next byte names.
#include <cstdint>
#include <cstdlib>

#include "packet_script.h"
#include "support/personas.h"

namespace {

using namespace sandtrap;
using ssh::ChannelId;

struct Host {
  fuzz::Joined& joined;
  std::uint8_t mode = 0;
  std::uint64_t consumed = 0;

  void operator()(ssh::AuthAttempt& attempt) {
    if (attempt.needs_decision) joined.server.submit_auth(attempt.id, true, joined.now);
  }
  void operator()(ssh::ProgramRequest& request) {
    if ((mode & 1) == 0) joined.server.submit_program(request.channel, (mode & 2) == 0);
  }
  void operator()(ssh::ProveNeeded& needed) {
    joined.server.submit_proofs(needed.id, std::vector<base::Bytes>(needed.keys.size()));
  }
  void operator()(ssh::ChannelInput& input) {
    if (input.data.empty() || input.data.size() > 32768) std::abort();
    for (const std::uint8_t b : input.data) consumed += b;  // reads every byte, for ASan
    if ((mode & 4) == 0) joined.server.channel_consumed(input.channel, input.data.size());
  }
  template <class Other>
  void operator()(Other&) {}
};

void program(ssh::Server& server, ChannelId channel, std::uint8_t what) {
  static const base::Bytes block(70000, 'x');
  switch (what % 9) {
    case 0: {
      const std::size_t room = server.channel_room(channel);
      const std::size_t n = server.channel_output(channel, ssh::Stream::kOutput, block);
      if (n > room) std::abort();
      break;
    }
    case 1:
      server.channel_output(channel, ssh::Stream::kError, base::ByteView(block).first(what));
      break;
    case 2:
      server.channel_output_eof(channel);
      break;
    case 3:
      server.channel_exited(channel, ssh::ExitStatus{what});
      break;
    case 4:
      server.channel_exited(channel, ssh::ExitSignal{"TERM", false});
      break;
    case 5:
      server.channel_input_closed(channel);
      break;
    case 6:
      server.channel_consumed(channel, what * 1000U);
      break;
    case 7:
      server.submit_program(channel, true);
      break;
    default:
      server.submit_program(channel, false);
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Script script({data, size});
  ssh::Profile profile = ssh::debian_12();
  profile.quantise_delays = false;
  fuzz::Joined joined(profile);
  Host host{joined};
  joined.client.send(fuzz::service_request());
  joined.client.send(ssh::Writer(ssh::message::kUserauthRequest)
                         .string("root")
                         .string("ssh-connection")
                         .string("password")
                         .boolean(false)
                         .string("x")
                         .view());
  joined.run(host);
  if (joined.closed) std::abort();
  host.mode = script.byte();
  while (!script.empty() && !joined.closed) {
    const std::uint8_t operation = script.byte();
    if (operation < 128) {
      joined.client.send(script.packet());
    } else {
      program(joined.server, operation & 7, script.byte());
    }
    joined.run(host);
    if (const auto until = joined.server.deadline(); until && !joined.closed) {
      joined.tick(*until, host);
    }
  }
  return 0;
}
