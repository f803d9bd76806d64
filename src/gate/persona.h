// The gate's face: the SSH profile of the persona with the operator's settings in it.
#pragma once

#include "config/settings.h"
#include "gate/services.h"
#include "ipc/messages.h"

namespace sandtrap::gate {

ssh::Profile profile_for(const config::Settings& settings);
Persona persona_for(const config::Settings& settings, ipc::Welcome welcome,
                    const std::vector<ssh::Modulus>& moduli);

}  // namespace sandtrap::gate
