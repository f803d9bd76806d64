#include "gate/recording_writer.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace sandtrap::gate {
namespace {

// One write(2) unless the disk is nearly full; then the rest, whose error tells why.
base::Status write_all(int fd, base::ByteView data) {
  while (!data.empty()) {
    const ssize_t n = ::write(fd, data.data(), data.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno("append to the recording", errno);
    data = data.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace

base::Result<RecordingWriter> RecordingWriter::begin(base::Fd cast, base::Fd sidecar,
                                                     std::string path, const record::Header& header,
                                                     base::Instant now) {
  RecordingWriter writer(std::move(cast), std::move(sidecar), std::move(path), header, now);
  const auto line = base::as_bytes(writer.encoder_.header_line());
  if (auto ok = write_all(writer.cast_.get(), line); !ok) return tl::unexpected(ok.error());
  return writer;
}

base::Status RecordingWriter::append(const record::Chunk& chunk) {
  const std::uint64_t size = chunk.binary.size() + chunk.lines.size();
  if (size > limit_ - std::min(written_, limit_)) {
    return base::fail(base::Errc::kLimit, path_ + " has reached recording.max_bytes");
  }
  written_ += size;
  // The sidecar first: a line never points at bytes that are not there.
  if (auto ok = write_all(sidecar_.get(), chunk.binary); !ok) return ok;
  if (auto ok = write_all(cast_.get(), base::as_bytes(chunk.lines)); !ok) return ok;
  if (written_ - told_ >= kGrowth) {
    told_ = written_;
    if (on_growth_) on_growth_();
  }
  return {};
}

base::Status RecordingWriter::add(record::Stream stream, base::ByteView data, base::Instant now) {
  return append(encoder_.add(stream, data, now));
}

base::Status RecordingWriter::resize(std::uint32_t columns, std::uint32_t rows, base::Instant now) {
  return append(record::Chunk{encoder_.resize(columns, rows, now), {}});
}

base::Status RecordingWriter::finish(base::Instant now) {
  return append(encoder_.finish(now));
}

}  // namespace sandtrap::gate
