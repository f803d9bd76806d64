// Files below a folder that is already open: no symbolic link is followed, nothing that is no
// regular file is read.
#pragma once

#include <sys/types.h>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace sandtrap::scribe {

base::Result<base::Fd> open_at(const base::Fd& dir, const std::string& name, int flags,
                               mode_t mode = 0);
base::Result<base::Fd> open_folder(const base::Fd& dir, const std::string& name);  // made if absent
base::Result<base::Fd> open_regular(const base::Fd& dir, const std::string& name, int flags,
                                    mode_t mode = 0);
std::vector<std::string> names_in(const base::Fd& dir);  // without "." and ".."

// Whether any process has the file open for writing, as the kernel says: a read lease is granted
// only where nobody has (fcntl(2), F_SETLEASE). We must own the file.
bool has_writer(const base::Fd& file);

bool is_one_of(std::string_view text, std::string_view allowed);  // not empty, of these characters

struct Removed {  // to make room
  std::string path;
  std::uint64_t bytes = 0;
};

}  // namespace sandtrap::scribe
