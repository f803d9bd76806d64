// A sandbox in the words of the OCI runtime specification: config.json, as values in, text out.
// Pure. docs/sandbox.md explains every entry.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "sandbox/engine.h"

namespace sandtrap::sandbox {

struct BundleSpec {
  Limits limits;
  std::string root;  // the mounted root file system
  std::uint32_t userns_base = 200000, userns_size = 65536;
  std::string cgroups_path;
  bool limit_swap = true;  // the kernel counts swap
};

std::string oci_config(const BundleSpec& spec);

// The process object of an exec in the container of `config`: its limits and capabilities, other
// arguments. Given as a whole because crun's exec takes neither rlimits nor no-new-privileges from
// the container.
base::Result<std::string> oci_exec_process(const std::string& config,
                                           const std::vector<std::string>& argv, bool terminal);

// Files that make the machine its own: path below / and content.
std::vector<std::pair<std::string, std::string>> identity_files(const std::string& hostname);

}  // namespace sandtrap::sandbox
