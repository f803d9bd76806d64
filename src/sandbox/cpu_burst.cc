#include "sandbox/cpu_burst.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/fd.h"

namespace sandtrap::sandbox {
namespace {

// The path of the group that limits processor time: of v1 the one with the controller `cpu`, of v2
// the only one.
std::string cpu_group(std::string_view table, bool v2) {
  std::istringstream lines{std::string(table)};
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    if (v2 ? controllers == ",," : controllers.find(",cpu,") != std::string::npos)
      return line.substr(second + 1);
  }
  return {};
}

base::Status allow_in(const std::string& group, const char* limit, const char* burst) {
  std::ifstream file(group + "/" + limit);
  long quota = 0;  // v2: "50000 100000", or "max …"; v1: "50000", or -1
  if (!(file >> quota) || quota <= 0)
    return base::fail(base::Errc::kNotFound, group + ": no limit of processor time");
  const base::Fd out(::open((group + "/" + burst).c_str(), O_WRONLY | O_CLOEXEC));
  if (!out) return base::fail_errno("open " + group + "/" + burst, errno);
  const std::string text = std::to_string(quota);  // the kernel's own bound
  if (::write(out.get(), text.data(), text.size()) < 0)
    return base::fail_errno("write " + group + "/" + burst, errno);
  return {};
}

}  // namespace

base::Status allow_cpu_burst(std::string_view table, const std::string& root) {
  const std::string v1 = cpu_group(table, false);
  if (v1.empty()) return allow_in(root + cpu_group(table, true), "cpu.max", "cpu.max.burst");
  for (const char* mounted : {"/cpu,cpuacct", "/cpu"})
    if (::access((root + mounted + v1).c_str(), F_OK) == 0)
      return allow_in(root + mounted + v1, "cpu.cfs_quota_us", "cpu.cfs_burst_us");
  return base::fail(base::Errc::kNotFound, "no control group for processor time");
}

base::Status allow_cpu_burst(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/cgroup", pid));
  const std::string table{std::istreambuf_iterator<char>(file), {}};
  return allow_cpu_burst(table, "/sys/fs/cgroup");
}

}  // namespace sandtrap::sandbox
