// Reads a recording back: the .cast's text and the .bin's bytes in, timed events and the exact
// streams out. Files are foreign input (a crash tears them, a disk fills). Pure; values only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "record/encoder.h"

namespace sandtrap::record {

struct Recorded {
  std::uint64_t micros = 0;  // since the recording's start
  char code = 'o';           // as in the file: o i e r O I E
  base::Bytes data;          // a stream's bytes ("O": those of the sidecar); for "r" its text
};

struct Recording {
  std::uint64_t columns = 0, rows = 0, timestamp = 0;
  std::string command, kind, session, sandbox, source_ip;
  std::vector<Recorded> events;
  bool pty = false;
  bool torn = false;  // the last line had no end and was left out

  base::Bytes stream(Stream stream) const;  // all its bytes, in order
};

// The parts, for who does not want all of it in memory: the first line, then each other, without
// their newlines. False, nullopt: it is none.
bool read_header(std::string_view line, Recording& out);
std::optional<Recorded> read_event(std::string_view line, base::ByteView binary);

// kInvalid names the line that is wrong. A last line without its newline is a torn write, not an
// error. `binary` is the whole sidecar, empty if there is none.
base::Result<Recording> decode(std::string_view cast, base::ByteView binary);

}  // namespace sandtrap::record
