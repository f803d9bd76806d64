#include "app/locks.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "app/roles.h"

namespace sandtrap::app {

bool is_locked(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return false;
  // "1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF", device in hexadecimal (proc(5)).
  const std::string file =
      fmt::format(" {:02x}:{:02x}:{} ", major(info.st_dev), minor(info.st_dev), info.st_ino);
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    const bool waits = line.find("->") != std::string::npos;
    if (!waits && line.find("FLOCK") != std::string::npos && line.find(file) != std::string::npos) {
      return true;
    }
  }
  return false;
}

bool role_runs(const std::string& run_dir, const std::string& role) {
  const std::string path = fmt::format("{}/{}.process.lock", run_dir, role);
  struct stat lock {};
  if (!is_locked(path) || ::lstat(path.c_str(), &lock) != 0) return false;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    std::ifstream file(entry.path() / "comm");
    std::string name;
    if (!std::getline(file, name) || name != "sandtrap-" + role) continue;
    struct stat open {};
    const std::string fd = fmt::format("{}/fd/{}", entry.path().string(), kLockFd);
    const bool seen = ::stat(fd.c_str(), &open) == 0;
    if (!seen && errno == EACCES) return true;  // a gate lets nobody look but root
    if (seen && open.st_dev == lock.st_dev && open.st_ino == lock.st_ino) return true;
  }
  return false;
}

}  // namespace sandtrap::app
