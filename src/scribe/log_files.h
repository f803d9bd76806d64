// Rotation of the event log. Crash-safe by its order: a rename moves events.jsonl to logs/, where
// its writers go on until each has taken the new one; only when the kernel says that nobody writes
// it any more is it repaired, compressed into a file of another name, synced, renamed, and the
// plain one removed. After a crash at any point the log is whole, once. Files only; no clock, no
// threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/instant.h"
#include "scribe/files.h"

namespace sandtrap::scribe {

class LogFiles {
 public:
  // `root` outlives this. Makes logs/ and removes what a crash left half compressed.
  static base::Result<LogFiles> open(const base::Fd& root);

  // events.jsonl is not empty, and has this size or a first line of that age.
  bool due(std::uint64_t bytes, std::chrono::seconds age, base::WallTime now) const;
  // Moves it away; the caller opens a new one. The name in logs/.
  base::Result<std::string> move(base::WallTime now) const;
  void move_back(const std::string& name) const;

  std::vector<std::string> plain() const;  // moved, and not compressed
  bool has_writer(const std::string& name) const;

  struct Finished {
    std::string path;  // relative to the data folder
    std::uint64_t size = 0, original_size = 0;
  };
  // Of a file without writers. Without `compress` it is only repaired.
  base::Result<Finished> finish(const std::string& name, bool compress) const;

  // Deletes the oldest moved files until all of the log takes no more than `limit`.
  std::vector<Removed> trim(std::uint64_t limit) const;

 private:
  explicit LogFiles(const base::Fd& root) : root_(&root) {}
  base::Result<Finished> compress(const std::string& name, const base::Fd& plain) const;

  const base::Fd* root_;
  base::Fd logs_;
};

}  // namespace sandtrap::scribe
