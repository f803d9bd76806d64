// Everything that libraries read, fetch or allocate at first use, used once while there is still a
// file system: after confine() it would fail.
#pragma once

#include "gate/services.h"

namespace sandtrap::gate {

void warm_up(const Persona& persona, base::Entropy& entropy);

}  // namespace sandtrap::gate
