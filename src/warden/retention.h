// Which preserved sandboxes have to go: by age, then by count and bytes, oldest first. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.h"
#include "config/settings.h"

namespace sandtrap::warden {

struct Kept {
  std::string reference;  // what Engine::remove_preserved() takes
  std::string sandbox;
  base::WallTime ended;
  std::uint64_t bytes = 0;
  std::string case_id = {}, source_ip = {};
};

// Indices into `kept`, in the order of removal.
std::vector<std::size_t> expired(const std::vector<Kept>& kept,
                                 const config::Preservation& settings, base::WallTime now);

// By hand: what is older than `older_than`, then the oldest until no more than `keep_bytes` are
// left.
struct Cleanup {
  std::optional<std::chrono::seconds> older_than;
  std::optional<std::uint64_t> keep_bytes;
};
std::vector<std::size_t> to_clean(const std::vector<Kept>& kept, const Cleanup& wanted,
                                  base::WallTime now);

}  // namespace sandtrap::warden
