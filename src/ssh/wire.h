// RFC 4251 §5 data types under the name that the SSH engine uses (see crypto/wire.h).
#pragma once

#include "crypto/wire.h"

namespace sandtrap::ssh {

using crypto::join_names;
using crypto::kNoLimit;
using crypto::load_u32;
using crypto::Reader;
using crypto::split_names;
using crypto::store_u32;
using crypto::Writer;

}  // namespace sandtrap::ssh
