// One exec in a container. Started in two steps: the guest's login announces itself, so we know its
// pid (outside and inside) and that the bytes are its own, and goes on when the warden has the
// handles. Engine texts ("OCI runtime exec failed") therefore never reach the stream.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "sandbox/docker_context.h"

namespace sandtrap::sandbox {

struct DockerTarget {
  std::string container;      // its full id
  pid_t pid = 0;              // of its first process
  bool pids_visible = false;  // the engine's pids mean the same processes here
};

Task<base::Result<std::unique_ptr<Process>>> start_docker_process(
    std::shared_ptr<DockerContext> context, DockerTarget target, ProcessSpec spec);

// The status as sshd would report it, from Docker's one number: a shell that was killed by signal n
// and one that returned 128+n look alike there.
ExitResult docker_exit_result(int code, const ProcessSpec& spec);

}  // namespace sandtrap::sandbox
