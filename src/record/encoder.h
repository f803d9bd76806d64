// One channel's recording as asciicast v2 (docs/recordings.md), sans I/O: chunks in, file lines
// out. Standard codes "o" (terminal output, or stdout), "i" (input, or stdin), "r" (resize
// "COLSxROWS"); ours, which players ignore: "e" (stderr), and "O" "I" "E": a binary chunk of that
// stream, its data "OFFSET+LENGTH" in the sidecar file <name>.bin. So text stays readable and
// replayable, and binary stays exact, with no per-byte work on bulk paths.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/bytes.h"
#include "base/instant.h"

namespace sandtrap::record {

struct Header {
  std::uint32_t columns = 80, rows = 24;
  base::WallTime start;
  std::string command;  // empty for a shell
  std::string kind;     // "shell", "exec", "subsystem"
  bool pty = false;
  std::map<std::string, std::string> env;  // TERM, SHELL
  std::string session, case_id, sandbox, source_ip, user, sensor;
  std::uint32_t channel = 0;
};

enum class Stream { kInput, kOutput, kError };

struct Chunk {            // what to append, sidecar first
  std::string lines;      // to <name>.cast; whole lines
  base::ByteView binary;  // to <name>.bin; a view of the bytes given to add()
};

class Encoder {
 public:
  // `start` is the zero of the event times.
  Encoder(const Header& header, base::Instant start);
  const std::string& header_line() const { return header_line_; }

  // A UTF-8 sequence cut at the chunk's end is held back (at most 3 bytes) and comes out with the
  // next chunk of the same stream. Times never run backwards.
  Chunk add(Stream stream, base::ByteView data, base::Instant now);
  std::string resize(std::uint32_t columns, std::uint32_t rows, base::Instant now);
  Chunk finish(base::Instant now);  // what was held back, as binary

 private:
  struct Held {
    std::uint8_t bytes[4];
    std::size_t size = 0;
  };
  std::uint64_t advance(base::Instant now);  // microseconds since the start
  static std::size_t completing(const Held& held, base::ByteView data);
  void append_binary(std::string& lines, Stream stream, std::size_t size, std::uint64_t micros);

  std::string header_line_;
  base::Instant start_, last_;
  std::uint64_t binary_offset_ = 0;
  Held held_[3];
  base::Bytes scratch_;
};

}  // namespace sandtrap::record
