// Which preserved sandboxes have to go: by age, then by count and bytes, oldest first. Pure.
#pragma once

#include <cstdint>
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
};

// Indices into `kept`, in the order of removal.
std::vector<std::size_t> expired(const std::vector<Kept>& kept,
                                 const config::Preservation& settings, base::WallTime now);

}  // namespace sandtrap::warden
