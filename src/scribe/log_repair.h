// Mends what a killed writer tore. A SIGKILL inside write(2) leaves the first part of a line; the
// log is shared and appended to by live processes, so nothing may be cut off there: the torn bytes
// become spaces, which JSON allows before the next line's object. A recording has one writer: when
// that is gone, its torn last line is cut off. Files only; no state; called by the scribe.
#pragma once

#include <cstdint>

#include "base/error.h"

namespace sandtrap::scribe {

// How far back from the end of the log damage is looked for.
inline constexpr std::uint64_t kRepairWindow = 4U << 20;

struct LogRepair {
  std::uint64_t pieces = 0, bytes = 0;  // what was blanked
};

// `fd`: the log, O_RDWR and not O_APPEND. Safe while others append. A line that swallowed another
// writer's torn half loses only that half. After a repair of the end the caller appends a line, so
// that the spaces do not stand there as a last line of their own.
base::Result<LogRepair> repair_log(int fd);

// `fd`: a .cast whose writer is gone, O_RDWR. Returns the size that is left; 0: not even the header
// was whole.
base::Result<std::uint64_t> trim_recording(int fd);

}  // namespace sandtrap::scribe
