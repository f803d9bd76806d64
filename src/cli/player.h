// Plays a recording to a terminal: the pace of the original, within limits; keys while it plays.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/error.h"

namespace sandtrap::cli {

struct PlayerOptions {
  double speed = 1;
  std::chrono::microseconds idle_limit{2'000'000};  // no pause is longer; 0: as they were
  bool at_once = false;                             // no pauses at all
  int stop = -1;                                    // readable: end, as by 'q'
  bool input = false;                               // also what was typed, in its own colour
};

struct Played {
  std::uint64_t events = 0, left_out = 0;  // what SafeOutput did not let through
  bool torn = false, stopped = false;      // cut by a crash; by the viewer
  std::uint64_t columns = 0, rows = 0;
};

// `cast`: the .cast file's text; `binary`: its sidecar. Only what term::SafeOutput lets through is
// written to `out`. Keys are read from `keys` if it is a terminal (else -1): space holds and goes
// on, '.' one event further while held, '+' and '-' the speed, 'q' ends.
base::Result<Played> play(std::string_view cast, base::ByteView binary, int out, int keys,
                          const PlayerOptions& options);

}  // namespace sandtrap::cli
