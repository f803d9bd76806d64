#include "sandbox/oci_host.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <tuple>
#include <utility>

namespace sandtrap::sandbox {
namespace fs = std::filesystem;
namespace {

constexpr char kCgroups[] = "/sys/fs/cgroup";

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string program_folder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path().string();
}

// `area` would hide `path`, or the reverse.
bool covers(const fs::path& area, const std::string& path) {
  std::error_code error;
  const std::string real = fs::weakly_canonical(path, error).string();
  return real.compare(0, area.string().size(), area.string()) == 0;
}

// Two directories of every Debian that nothing of ours lies in: they are covered in private mount
// namespaces only. They need to be reachable for the sandbox's root, which our own folders are not.
base::Result<std::pair<std::string, std::string>> find_areas(
    const std::vector<std::string>& paths) {
  std::vector<std::string> found;
  for (const fs::path area : {"/media", "/mnt", "/srv", "/opt"}) {
    std::error_code error;
    if (!fs::is_directory(area, error) || fs::is_symlink(area, error)) continue;
    bool free = true;
    for (const std::string& path : paths) free = free && !covers(area, path);
    if (free) found.push_back(area.string());
  }
  if (found.size() >= 2) return std::make_pair(found[0], found[1]);
  return base::fail(base::Errc::kUnsupported,
                    "two of /media, /mnt, /srv and /opt must exist and hold none of our folders");
}

void examine_cgroups(HostFacts& facts) {
  struct statfs info {};
  const bool v2 =
      ::statfs(kCgroups, &info) == 0 && info.f_type == static_cast<long>(CGROUP2_SUPER_MAGIC);
  if (v2) {
    facts.cgroups = CgroupLayout::kV2;
    return;
  }
  const std::string unified = first_line(fs::path(kCgroups) / "unified/cgroup.controllers");
  facts.cgroups =
      ::access("/sys/fs/cgroup/unified", F_OK) == 0 ? CgroupLayout::kHybrid : CgroupLayout::kV1;
  facts.limit_swap = ::access("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", F_OK) == 0;
  if (!facts.limit_swap)
    facts.notes.emplace_back(
        "the kernel does not count swap: a sandbox may use swap beyond memory");
  const bool crun = fs::path(facts.runtime).filename().string().find("crun") != std::string::npos;
  if (crun && !unified.empty()) {
    facts.hide_unified = true;
    facts.notes.emplace_back(
        "crun refuses this hybrid cgroup layout: it runs with the v2 side unmounted, privately");
  }
}

}  // namespace

base::Result<std::string> find_runtime(const std::string& configured) {
  std::vector<std::string> names{configured};
  if (configured.empty()) names = {"runc", "crun"};
  for (const std::string& name : names) {
    if (name.find('/') != std::string::npos) {
      if (::access(name.c_str(), X_OK) == 0) return name;
      continue;
    }
    for (const auto* dir :
         {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}) {
      std::string path = std::string(dir) + "/" + name;
      if (::access(path.c_str(), X_OK) == 0) return path;
    }
  }
  return base::fail(base::Errc::kNotFound,
                    configured.empty() ? "no OCI runtime: install runc (apt-get install runc)"
                                       : "OCI runtime " + configured + " not found");
}

base::Result<std::string> find_oci_image(const std::string& configured, const std::string& exe_dir,
                                         std::uint32_t userns_base) {
  std::vector<std::string> places{configured};
  if (configured.empty())
    places = {exe_dir + "/../guest/debian-12/rootfs", "/var/lib/sandtrap/images/debian-12/rootfs"};
  for (const std::string& place : places) {
    std::error_code error;
    const fs::path real = fs::canonical(place, error);
    if (error || !fs::is_directory(real, error)) continue;
    // A chown that was interrupted, or meant for another base, leaves a tree that no sandbox could
    // use: the marker is written last.
    const std::string marker = first_line(real.parent_path() / "userns-base");
    if (marker != std::to_string(userns_base))
      return base::fail(base::Errc::kInvalid, real.string() + ": made for userns_base " +
                                                  (marker.empty() ? "(no marker)" : marker) +
                                                  ", not " + std::to_string(userns_base) +
                                                  "; run: sandtrap image build");
    return real.string();
  }
  std::string looked;
  for (const std::string& place : places) looked += (looked.empty() ? "" : ", ") + place;
  return base::fail(base::Errc::kNotFound,
                    "no guest image (looked at " + looked + "); run: sandtrap image build");
}

base::Result<HostFacts> examine_host(const HostQuestion& question) {
  if (::geteuid() != 0) return base::fail(base::Errc::kDenied, "the embedded engine needs root");
  HostFacts facts;
  auto runtime = find_runtime(question.runtime);
  if (!runtime) return tl::unexpected(runtime.error());
  facts.runtime = *runtime;
  auto image = find_oci_image(question.image, program_folder(), question.userns_base);
  if (!image) return tl::unexpected(image.error());
  facts.image = *image;
  std::vector<std::string> paths = question.paths;
  paths.insert(paths.end(), {facts.image, facts.runtime});
  auto areas = find_areas(paths);
  if (!areas) return tl::unexpected(areas.error());
  std::tie(facts.work_area, facts.root) = *areas;
  if (::access("/dev/loop-control", R_OK | W_OK) != 0)
    return base::fail(base::Errc::kUnsupported,
                      "no /dev/loop-control: the kernel's loop devices are needed (modprobe loop)");
  examine_cgroups(facts);
  return facts;
}

namespace {

std::vector<fs::path> hierarchies() {
  std::error_code error;
  std::vector<fs::path> roots{kCgroups};
  for (const auto& entry : fs::directory_iterator(kCgroups, error))
    if (entry.is_directory(error)) roots.push_back(entry.path());
  return roots;
}

bool kill_members(const fs::path& group) {
  std::ifstream procs(group / "cgroup.procs");
  bool any = false;
  for (pid_t pid = 0; procs >> pid;) any = (pid > 1 && ::kill(pid, SIGKILL) == 0) || any;
  return any;
}

}  // namespace

bool end_cgroup(const std::string& path) {
  bool any = false;
  for (const fs::path& root : hierarchies()) {
    const fs::path group = root / path.substr(1);
    any = kill_members(group) || any;
    ::rmdir(group.c_str());  // fails while there is a process in it
  }
  return any;
}

void remove_cgroups(const std::string& parent, bool kill) {
  std::error_code error;
  for (const fs::path& root : hierarchies()) {
    const fs::path base = root / parent.substr(1);
    if (!fs::is_directory(base, error)) continue;
    for (const auto& entry : fs::directory_iterator(base, error)) {
      if (!entry.is_directory(error)) continue;
      if (kill) kill_members(entry.path());
      ::rmdir(entry.path().c_str());  // busy: the next start removes it
    }
    ::rmdir(base.c_str());
  }
}

}  // namespace sandtrap::sandbox
