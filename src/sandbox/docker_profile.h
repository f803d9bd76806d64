// The body of "create container": the whole security profile of a sandbox under Docker, as data.
// Pure. docs/docker.md explains each line.
#pragma once

#include <optional>
#include <string>

#include "sandbox/engine.h"

namespace sandtrap::sandbox {

inline constexpr const char* kDockerInstanceLabel = "sandtrap.instance";
inline constexpr const char* kDockerSandboxLabel = "sandtrap.sandbox";

struct DockerContainer {
  std::string image, runtime;  // runtime empty: the daemon's default
  std::string instance, sandbox, created;
  std::string seccomp;  // the profile as JSON
  Limits limits;
  bool limit_disk = false;  // the storage driver can
};

std::string docker_create_body(const DockerContainer& container);

}  // namespace sandtrap::sandbox
