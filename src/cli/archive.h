// Writes a tree as .tar.zst: devices, sockets and links as entries, never opened or followed.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"

namespace sandtrap::cli {

struct Archived {
  std::uint64_t entries = 0, bytes = 0;  // bytes of file content
};

inline constexpr std::uint64_t kMaxArchiveBytes = 64ULL << 30;  // holes of files count as well

// `file` must not exist. Owners are written less `id_base`: as they are inside.
base::Result<Archived> write_archive(int top, const std::string& file, std::uint32_t id_base);

}  // namespace sandtrap::cli
