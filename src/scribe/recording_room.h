// How much of the disk recordings take, and room for new ones: the oldest finished ones go first.
// Days that are over are measured once an hour. Used by one thread of a pool; files only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/instant.h"
#include "scribe/files.h"

namespace sandtrap::scribe {

class RecordingRoom {
 public:
  // More are deleted with the next call, so that their events come in portions.
  static constexpr std::size_t kPortion = 2000;

  struct Outcome {
    std::uint64_t bytes = 0;  // what is left, in blocks of the disk
    std::vector<Removed> removed;
  };
  // `busy`: whether a recording, a path relative to the data folder, is still written.
  using Busy = std::function<bool(const std::string& path)>;
  Outcome trim(const base::Fd& recordings, std::uint64_t limit, const Busy& busy,
               base::WallTime now);

 private:
  std::map<std::string, std::uint64_t> measured_;  // days that are over
  base::WallTime measured_since_;
};

}  // namespace sandtrap::scribe
