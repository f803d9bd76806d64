// The guest image in the engine's store: there, ours, and current? Imported when it is not.
#pragma once

#include "sandbox/docker_context.h"

namespace sandtrap::sandbox {

// kNotFound, with what to do about it, when there is neither image nor archive. Any image of the
// operator's own is taken as it is; the default one follows its archive.
Task<base::Status> ensure_docker_image(DockerContext& context);

}  // namespace sandtrap::sandbox
