// Docker's framing of stdout and stderr on one stream (a process without a terminal): byte 0 is the
// stream, bytes 1-3 are zero, bytes 4-7 the big-endian length of the payload behind them. Pure and
// without copies: pieces of payload point into what was given; the state is one header.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace sandtrap::gate {

class StdcopyDecoder {
 public:
  enum class Stream : std::uint8_t { kOutput, kError };
  struct Piece {
    Stream stream;
    base::ByteView data;  // never empty; valid as long as the bytes given to next()
  };

  // Takes bytes off the front of `wire` until a piece of payload is found; empty when `wire` is
  // used up or the stream is broken. A frame may come in several pieces.
  std::optional<Piece> next(base::ByteView& wire);

  bool broken() const { return broken_; }  // a header that the engine never sends; stays so
  // Between two frames: an end of the stream here is orderly.
  bool at_boundary() const { return have_ == 0 && left_ == 0; }

 private:
  enum class Kind : std::uint8_t { kOutput, kError, kDiscard };
  bool take_header(base::ByteView& wire);

  std::array<std::uint8_t, 8> header_{};
  std::size_t have_ = 0;    // bytes of the header so far
  std::uint32_t left_ = 0;  // payload still to come
  Kind kind_ = Kind::kOutput;
  bool broken_ = false;
};

}  // namespace sandtrap::gate
