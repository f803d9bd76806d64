#include "scribe/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>

#include "base/instant.h"

namespace sandtrap::scribe {

using base::Fd;
using base::Result;

namespace {
constexpr std::time_t kQuiet = 600;
}

Result<Fd> open_at(const Fd& dir, const std::string& name, int flags, mode_t mode) {
  Fd fd(::openat(dir.get(), name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, mode));
  if (!fd) return base::fail_errno("open " + name, errno);
  return fd;
}

Result<Fd> open_folder(const Fd& dir, const std::string& name) {
  if (::mkdirat(dir.get(), name.c_str(), 0750) != 0 && errno != EEXIST) {
    return base::fail_errno("make " + name, errno);
  }
  return open_at(dir, name, O_RDONLY | O_DIRECTORY);
}

Result<Fd> open_regular(const Fd& dir, const std::string& name, int flags, mode_t mode) {
  auto fd = open_at(dir, name, flags | O_NONBLOCK, mode);
  if (!fd) return fd;
  struct stat info {};
  if (::fstat(fd->get(), &info) != 0) return base::fail_errno("stat " + name, errno);
  if (!S_ISREG(info.st_mode)) return base::fail(base::Errc::kInvalid, name + ": not a file");
  return fd;
}

std::vector<std::string> names_in(const Fd& dir) {
  std::vector<std::string> names;
  auto again = open_at(dir, ".", O_RDONLY | O_DIRECTORY);  // the stream owns its descriptor
  if (!again) return names;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(again->get()), &::closedir);
  if (!stream) return names;
  again->release();
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

bool has_writer(const Fd& file) {
  if (::fcntl(file.get(), F_SETLEASE, F_RDLCK) == 0) {
    ::fcntl(file.get(), F_SETLEASE, F_UNLCK);
    return false;
  }
  if (errno == EAGAIN) return true;
  // A file system without leases: what nobody touched for long has no writer.
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return false;
  return info.st_mtim.tv_sec + kQuiet > base::wall_now().micros / 1'000'000;
}

bool is_one_of(std::string_view text, std::string_view allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

}  // namespace sandtrap::scribe
