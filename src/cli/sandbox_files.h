// The files of one sandbox, running, frozen or preserved, made visible read-only in a mount
// namespace of this process alone. Nothing of the sandbox is entered, run or changed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "config/settings.h"

namespace sandtrap::cli {

class SandboxView;

struct SandboxFiles {
  std::shared_ptr<SandboxView> view;  // what is mounted; before the descriptors: it goes last
  base::Fd upper;  // what was written; whiteouts are character devices 0:0, as overlayfs has them
  base::Fd lower;  // the image below it; may be absent
  base::Fd root;   // both together, when asked for
  std::uint32_t id_base = 0;  // host uid and gid of the sandbox's root
};

// kNotFound: no such sandbox. kUnsupported: this engine's storage cannot be looked into.
base::Result<SandboxFiles> open_sandbox_files(const config::Settings& settings,
                                              const std::string& id, bool root);

}  // namespace sandtrap::cli
