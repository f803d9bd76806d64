#include "cli/tree_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "base/fd.h"

namespace sandtrap::cli {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};

base::Result<std::vector<std::string>> names_in(int folder) {
  // Its own description: reading moves the offset.
  const int copy = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return base::fail_errno("open a folder", errno);
  const std::unique_ptr<DIR, CloseFolder> listing(::fdopendir(copy));
  if (!listing) {
    ::close(copy);
    return base::fail_errno("read a folder", errno);
  }
  std::vector<std::string> names;
  while (const dirent* one = ::readdir(listing.get())) {
    std::string name = one->d_name;
    if (name == "." || name == "..") continue;
    names.push_back(std::move(name));
    if (names.size() > kMaxTreeEntries) return base::fail(base::Errc::kLimit, "too many files");
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Walk {
 public:
  explicit Walk(const std::function<base::Status(const TreeEntry&)>& visit) : visit_(visit) {}

  base::Status enter(int folder, const std::string& path, unsigned depth) {
    const auto names = names_in(folder);
    if (!names) return base::wrap(path, names.error());
    for (const std::string& name : *names) {
      if (++seen_ > kMaxTreeEntries) return base::fail(base::Errc::kLimit, "too many files");
      TreeEntry entry{path.empty() ? name : path + "/" + name, name, folder, {}};
      if (::fstatat(folder, name.c_str(), &entry.info, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) continue;  // a running sandbox goes on
        return base::fail_errno("stat " + name, errno);
      }
      if (auto done = visit_(entry); !done) return done;
      if (!S_ISDIR(entry.info.st_mode) || depth >= kMaxTreeDepth) continue;
      const base::Fd below(::openat(folder, name.c_str(),
                                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
      if (!below) continue;
      if (auto done = enter(below.get(), entry.path, depth + 1); !done) return done;
    }
    return {};
  }

 private:
  const std::function<base::Status(const TreeEntry&)>& visit_;
  std::size_t seen_ = 0;
};

}  // namespace

base::Status walk_tree(int top, const std::function<base::Status(const TreeEntry&)>& visit) {
  return Walk(visit).enter(top, "", 0);
}

}  // namespace sandtrap::cli
