// The control group of one sandbox of the embedded engine: stops and continues all its processes at
// once, and tells what memory they hold. Works on v1 (freezer, memory controllers) and v2.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/error.h"
#include "sandbox/engine.h"
#include "sandbox/oci_host.h"

namespace sandtrap::sandbox {

class OciFreezer {
 public:
  // `path`: below the root of each hierarchy, "/st-…/<id>".
  OciFreezer(CgroupLayout layout, const std::string& path);

  // Returns once every process has stopped; at `limit` it lets them go on and fails.
  Task<base::Status> freeze(std::chrono::milliseconds limit);
  // Takes effect at once: the kernel only has to wake them.
  base::Status thaw() const;
  bool frozen() const;
  base::Result<std::uint64_t> memory() const;

 private:
  bool v2_;
  std::string control_;  // the file that is written
  std::string state_;    // the file that says how far it is
  std::string memory_;
};

}  // namespace sandtrap::sandbox
