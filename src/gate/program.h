// One channel of a session and the program behind it, from CHANNEL_OPEN to its end.
//
//   kNone --request--> kOpening --ProcessOpened--> kRecording --RecordingOpened--> kRunning
//     ^                   |  (warden)                  |  (scribe)                    |
//     +---- refused ------+----------------------------+              ProcessExited   v
//                                                                                  kEnded
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/instant.h"
#include "gate/bridge.h"
#include "ipc/messages.h"
#include "ssh/server.h"

namespace sandtrap::gate {

// "shell", "exec", "subsystem": of ipc::OpenProcess::kind, in events and recordings.
std::string_view program_kind(std::uint8_t kind);

struct Program {
  enum class Stage { kNone, kOpening, kRecording, kRunning, kEnded };

  ssh::ChannelId channel = 0;
  Stage stage = Stage::kNone;
  std::optional<ipc::Pty> pty;
  std::vector<std::pair<std::string, std::string>> env;
  std::string display;        // DISPLAY, where X11 forwarding was granted
  std::size_t env_bytes = 0;  // of all names and values in `env`

  // While kOpening; a new warden is asked again.
  ipc::OpenProcess request;
  base::Instant asked;
  // While kRecording; a new scribe is asked again.
  ipc::ProcessOpened opened;
  std::vector<base::Fd> descriptors;
  std::optional<base::Instant> recording_deadline;
  std::optional<ipc::ProcessExited> early_exit;

  std::shared_ptr<Bridge> bridge;  // shared with its waits only
  std::uint64_t warden = 0;        // under which warden it was opened: only that one knows its end
  bool output_ended = false;
  bool client_closed = false;
  bool closed_logged = false;
};

}  // namespace sandtrap::gate
