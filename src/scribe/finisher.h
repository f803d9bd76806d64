// Closes the book on one recording: cuts a torn last line, measures and hashes. Runs in the
// scribe's pool by value, so that hashing gigabytes never delays a session's start.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "scribe/data_folder.h"

namespace sandtrap::scribe {

struct FileSum {
  std::uint64_t size = 0;
  std::string sha256;  // lower-case hex
};

struct Finished {
  FileSum cast;
  std::optional<FileSum> sidecar;  // none if it is empty or absent
};

base::Result<FileSum> sum_file(int fd);

// A writer that died before the header leaves a valid recording too: a header made from `origin`,
// and no events.
base::Result<Finished> finish_files(const RecordingFiles& files, const Origin& origin);

}  // namespace sandtrap::scribe
