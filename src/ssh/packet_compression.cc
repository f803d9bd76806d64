#include "ssh/packet_compression.h"

#include <zlib.h>

#include <algorithm>

#include "base/error.h"

namespace sandtrap::ssh {
namespace {

constexpr int kLevel = 6;
constexpr std::size_t kStep = 4096;

void set_input(z_stream_s& s, base::ByteView in) {
  s.next_in = const_cast<Bytef*>(in.data());  // zlib's own const is behind a macro
  s.avail_in = static_cast<uInt>(in.size());
}

}  // namespace

Deflater::Deflater() : stream_(std::make_unique<z_stream_s>()) {
  SANDTRAP_CHECK(deflateInit(stream_.get(), kLevel) == Z_OK);
}

Deflater::~Deflater() {
  deflateEnd(stream_.get());
}

base::ByteView Deflater::compress(base::ByteView head, base::ByteView body) {
  std::size_t filled = 0;
  const auto run = [&](base::ByteView in, int flush) {
    set_input(*stream_, in);
    do {
      if (out_.size() - filled < kStep / 4) out_.resize(out_.size() * 2 + kStep);
      stream_->next_out = out_.data() + filled;
      stream_->avail_out = static_cast<uInt>(out_.size() - filled);
      const int r = deflate(stream_.get(), flush);
      SANDTRAP_CHECK(r == Z_OK || r == Z_BUF_ERROR);
      filled = out_.size() - stream_->avail_out;
    } while (stream_->avail_out == 0 || stream_->avail_in != 0);
  };
  if (!head.empty()) run(head, Z_NO_FLUSH);
  run(body, Z_PARTIAL_FLUSH);
  return base::ByteView(out_).first(filled);
}

Inflater::Inflater(std::size_t max_output)
    : stream_(std::make_unique<z_stream_s>()), max_output_(max_output) {
  SANDTRAP_CHECK(inflateInit(stream_.get()) == Z_OK);
}

Inflater::~Inflater() {
  inflateEnd(stream_.get());
}

bool Inflater::expand(base::ByteView packed, base::ByteView& payload) {
  std::size_t filled = 0;
  set_input(*stream_, packed);
  for (;;) {
    if (out_.size() == filled) {
      if (filled >= max_output_) return false;
      out_.resize(std::min(max_output_, out_.size() * 2 + kStep));
    }
    stream_->next_out = out_.data() + filled;
    stream_->avail_out = static_cast<uInt>(out_.size() - filled);
    const int r = inflate(stream_.get(), Z_SYNC_FLUSH);
    filled = out_.size() - stream_->avail_out;
    if (r == Z_BUF_ERROR) break;  // nothing left to read and nothing left to say
    if (r != Z_OK) return false;
  }
  payload = base::ByteView(out_).first(filled);
  return true;
}

}  // namespace sandtrap::ssh
