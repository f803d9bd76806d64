// Gives up root for good: the scribe needs nothing but its own folder.
#pragma once

#include <string>

#include "base/error.h"

namespace sandtrap::scribe {

// `user`: a name, or a number that is both uid and gid. Without root there is nothing to give up;
// then only no_new_privs and the umask are set.
base::Status drop_privileges(const std::string& user);

}  // namespace sandtrap::scribe
