// A record of the login policy as the casebook keeps it: one JSON text. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "warden/login_records.h"

namespace sandtrap::warden {

std::string to_text(const SavedRecord& record);  // without its key
base::Result<SavedRecord> record_from_text(std::string key, std::string_view text);

}  // namespace sandtrap::warden
