#include "gate/stdcopy.h"

#include <algorithm>

namespace sandtrap::gate {

bool StdcopyDecoder::take_header(base::ByteView& wire) {
  const std::size_t n = std::min(header_.size() - have_, wire.size());
  std::copy_n(wire.begin(), n, header_.begin() + static_cast<std::ptrdiff_t>(have_));
  have_ += n;
  wire = wire.subspan(n);
  if (have_ < header_.size()) return false;
  have_ = 0;
  if (header_[0] > 3 || header_[1] != 0 || header_[2] != 0 || header_[3] != 0) {
    broken_ = true;
    return false;
  }
  left_ = (std::uint32_t{header_[4]} << 24) | (std::uint32_t{header_[5]} << 16) |
          (std::uint32_t{header_[6]} << 8) | std::uint32_t{header_[7]};
  // 0 is an echo of stdin and shown as output by Docker's own client; 3 is the engine's own
  // complaint about the stream, which the attacker must never see.
  kind_ = header_[0] == 3 ? Kind::kDiscard : header_[0] == 2 ? Kind::kError : Kind::kOutput;
  return true;
}

std::optional<StdcopyDecoder::Piece> StdcopyDecoder::next(base::ByteView& wire) {
  while (!broken_ && !wire.empty()) {
    if (left_ == 0) {
      take_header(wire);
      continue;
    }
    const std::size_t n = std::min<std::size_t>(left_, wire.size());
    const base::ByteView data = wire.first(n);
    wire = wire.subspan(n);
    left_ -= static_cast<std::uint32_t>(n);
    if (kind_ == Kind::kDiscard) continue;
    return Piece{kind_ == Kind::kError ? Stream::kError : Stream::kOutput, data};
  }
  if (broken_) wire = {};
  return std::nullopt;
}

}  // namespace sandtrap::gate
