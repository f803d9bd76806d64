// What all sessions of a gate share. Built by Gate, which outlives them; passed by reference.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/entropy.h"
#include "base/log.h"
#include "config/settings.h"
#include "gate/event_writer.h"
#include "gate/role_link.h"
#include "ssh/profile.h"
#include "ssh/server.h"

namespace sandtrap::gate {

// Immutable and shared with the sessions that began under it: a restarted warden may bring other
// host keys while they live.
struct Persona {
  ssh::Profile profile;
  std::vector<ssh::HostKey> host_keys;
  std::uint64_t delay_secret = 0;
};

struct Services {
  boost::asio::any_io_executor executor;
  const config::Settings& settings;
  base::Log& log;
  base::Entropy& entropy;
  EventWriter& events;
  RoleLink& warden;
  RoleLink& scribe;
  base::MutableByteView scratch;  // for reads; empty of meaning between two calls
  std::int64_t input_held = 0;    // stdin bytes in memory, all sessions
  // A warden or scribe that does not come back within these is missed, and what waits fails.
  std::chrono::seconds warden_patience{10};
  std::chrono::seconds scribe_patience{5};
  // Recordings that ended while the scribe was away, to be told to the next one.
  std::vector<std::string> unfinished = {};

  void finish_recording(const std::string& path) {
    if (!scribe.send(ipc::FinishRecording{path})) unfinished.push_back(path);
  }
};

}  // namespace sandtrap::gate
