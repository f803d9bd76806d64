#include "verify/cgroup.h"

#include <filesystem>
#include <fstream>
#include <sstream>

namespace sandtrap::verify {
namespace {

namespace fs = std::filesystem;

// "50000 100000", "max 100000"; of v1 in two files.
std::optional<double> limit_in(const fs::path& group) {
  std::ifstream v2(group / "cpu.max"), v1(group / "cpu.cfs_quota_us");
  std::string quota;
  double period = 0;
  if (v1) {
    std::ifstream(group / "cpu.cfs_period_us") >> period;
    v1 >> quota;
  } else if (!(v2 >> quota >> period)) {
    return std::nullopt;
  }
  if (quota == "max" || quota == "-1" || period <= 0) return 0;
  return std::strtod(quota.c_str(), nullptr) / period;
}

// A limit may stand at the group itself or at one above it.
std::optional<double> limit_above(const fs::path& root, fs::path group) {
  std::optional<double> found;
  for (; group.has_relative_path(); group = group.parent_path()) {
    const auto here = limit_in(root / group.relative_path());
    if (here && *here > 0 && (!found || *found == 0 || *here < *found)) found = here;
    if (here && !found) found = here;
  }
  return found;
}

std::optional<double> limit_of_process(const fs::path& process) {
  std::ifstream table(process / "cgroup");
  for (std::string line; std::getline(table, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool unified = controllers == ",,";
    if (!unified && controllers.find(",cpu,") == std::string::npos) continue;
    for (const char* root : {"/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu",
                             "/sys/fs/cgroup/unified", "/sys/fs/cgroup"}) {
      const auto limit = limit_above(root, line.substr(second + 1));
      if (limit) return limit;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<double> processor_limit_of(const std::string& program) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    std::ifstream file(entry.path() / "cmdline");
    std::string word;
    if (!std::getline(file, word, '\0') || word != program) continue;
    if (const auto limit = limit_of_process(entry.path())) return limit;
  }
  return std::nullopt;
}

}  // namespace sandtrap::verify
