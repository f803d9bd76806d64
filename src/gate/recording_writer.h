// One channel's recording on its way to the two files that the scribe opened. Every chunk is on
// file before its bytes travel on; a failed write is the caller's reason to end the session.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "record/encoder.h"

namespace sandtrap::gate {

class RecordingWriter {
 public:
  // Writes the header line.
  static base::Result<RecordingWriter> begin(base::Fd cast, base::Fd sidecar, std::string path,
                                             const record::Header& header, base::Instant now);

  // kLimit from the chunk on with which both files together would be larger.
  void limit(std::uint64_t bytes) { limit_ = bytes; }
  // Called each time that kGrowth more bytes are in the files.
  static constexpr std::uint64_t kGrowth = 2 << 20;
  void on_growth(std::function<void()> callback) { on_growth_ = std::move(callback); }
  base::Status add(record::Stream stream, base::ByteView data, base::Instant now);
  base::Status resize(std::uint32_t columns, std::uint32_t rows, base::Instant now);
  // Writes what the encoder held back. The descriptors close with the object.
  base::Status finish(base::Instant now);
  const std::string& path() const { return path_; }

 private:
  RecordingWriter(base::Fd cast, base::Fd sidecar, std::string path, const record::Header& header,
                  base::Instant now)
      : cast_(std::move(cast)),
        sidecar_(std::move(sidecar)),
        path_(std::move(path)),
        encoder_(header, now) {}
  base::Status append(const record::Chunk& chunk);

  base::Fd cast_, sidecar_;
  std::string path_;
  record::Encoder encoder_;
  std::uint64_t written_ = 0, limit_ = UINT64_MAX, told_ = 0;
  std::function<void()> on_growth_;
};

}  // namespace sandtrap::gate
