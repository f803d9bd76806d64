// Brings a growing file to the disk while it is written, and gives its page cache back. What an
// attacker sends through a honeypot would else fill the memory with pages that nobody reads again:
// on a virtual machine each fresh one costs a trip to the host, several times the copy into it.
// Used by the scribe's pool, by value: it may wait for the disk. The gate never does.
#pragma once

#include <cstdint>

#include "base/error.h"

namespace sandtrap::scribe {

class WriteBehind {
 public:
  static constexpr std::uint64_t kStep = 1 << 20;  // less is not worth a trip to the disk

  // Starts writing what has come since the last call, then waits for what the last call started
  // and drops it from memory. An error of the disk: what it did not take stays in memory, where
  // the finisher finds it; call no more then.
  base::Status advance(int fd);

  std::uint64_t started() const { return started_; }
  std::uint64_t dropped() const { return dropped_; }

 private:
  std::uint64_t started_ = 0, dropped_ = 0;  // offsets, whole pages
};

// What was read once and is not read again soon.
void drop_from_memory(int fd, std::uint64_t from, std::uint64_t to);

}  // namespace sandtrap::scribe
