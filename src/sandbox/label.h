// label.json: who a sandbox belongs to, kept beside it so that a restarted warden can adopt what it
// finds running, and written into what is preserved. Both engines use this one form.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "sandbox/engine.h"

namespace sandtrap::sandbox {

inline constexpr std::size_t kMaxLabelBytes = 4U << 20;

std::string to_json(const Label& label);  // one object, trailing newline
base::Result<Label> label_from_json(std::string_view text);

// Whole or not at all, also over a crash: temporary file, fsync, rename, fsync of the directory.
// `directory` is made if it is missing (mode 0700).
base::Status write_label(const std::string& directory, std::string_view file_name,
                         const Label& label);
base::Result<Label> read_label(const std::string& path);

}  // namespace sandtrap::sandbox
