// The exact disk limit of the embedded engine: one sparse ext4 file per sandbox on a loop device.
// A formatted, empty disk is made once; each sandbox gets a sparse copy of it. The functions marked
// (child) run between fork and exec: system calls only, paths prepared beforehand.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/error.h"
#include "sandbox/child.h"

namespace sandtrap::sandbox {

// Formats `path` (whole or not at all) with directories upper/ and work/ owned by `owner`.
Task<base::Status> make_template_disk(Children& children, std::string path, std::uint64_t bytes,
                                      std::uint32_t owner);

// (child) Copies data and keeps holes; a reflink where the file system can. 0, or -1 with errno.
int copy_sparse(const char* from, const char* to) noexcept;
// (child) Attaches `image` to a free loop device that vanishes with its last use, and mounts it.
// With MS_RDONLY nothing of the file is written, nor its journal replayed.
int mount_loop_ext4(const char* image, const char* target, unsigned long flags) noexcept;

// Waits until no loop device uses `image` any more: then its last writes are in the file. False
// when that takes longer than `limit`.
Task<bool> loop_released(std::string image, std::chrono::milliseconds limit);

}  // namespace sandtrap::sandbox
