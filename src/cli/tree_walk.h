// Walks a tree that an attacker has made: every entry by the descriptor of its folder and one name,
// so that no link is followed and nothing outside is reached; nothing but folders and plain files
// is ever opened. Bounded in depth and number.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>

#include "base/error.h"

namespace sandtrap::cli {

struct TreeEntry {
  std::string path;  // below the top, "etc/passwd"; bytes the attacker chose
  std::string name;
  int folder = -1;  // that holds it
  struct stat info {};
};

inline constexpr std::size_t kMaxTreeEntries = 2'000'000;
inline constexpr unsigned kMaxTreeDepth = 200;  // deeper folders are named and not entered

// Parents before what is in them. Stops at the first error of `visit`.
base::Status walk_tree(int top, const std::function<base::Status(const TreeEntry&)>& visit);

}  // namespace sandtrap::cli
