// doctor.h: what the kernel offers. Namespaces are tried in a child process that ends at once.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>

#include "cli/doctor.h"

namespace sandtrap::cli {
namespace {

using Level = Finding::Level;

constexpr char kCgroups[] = "/sys/fs/cgroup";

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

bool has_word(const std::string& text, const std::string& word) {
  return (" " + text + " ").find(" " + word + " ") != std::string::npos;
}

bool own_engine(const config::Settings& settings) {
  return settings.container_pool.engine == "oci";
}

// What a system call in a child of its own says: 0, or errno.
template <class Try>
int in_child(Try attempt) {
  const pid_t pid = ::fork();
  if (pid < 0) return errno;
  if (pid == 0) ::_exit(attempt() == 0 ? 0 : (errno & 0x7f));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

// Behind a v1 or hybrid mount each controller is a folder.
std::string missing_controllers(bool v2) {
  const std::string have = text_of(std::string(kCgroups) + "/cgroup.controllers");
  std::string missing;
  for (const char* name : {"memory", "pids", "cpu"}) {
    const bool there = v2 ? has_word(have, name)
                          : ::access(fmt::format("{}/{}", kCgroups, name).c_str(), F_OK) == 0;
    if (!there) missing += (missing.empty() ? "" : ", ") + std::string(name);
  }
  return missing;
}

}  // namespace

Finding examine_rights() {
  if (::geteuid() == 0) return {Level::kGood, "rights", "root", "", ""};
  return {Level::kNote, "rights", fmt::format("user id {}", ::geteuid()),
          "`serve` needs root; and some of this could not be looked at",
          "run `sudo sandtrap doctor`"};
}

Finding examine_kernel() {
  utsname name{};
  ::uname(&name);
  const std::string found = fmt::format("{} {} {}", name.sysname, name.release, name.machine);
  const int major = std::atoi(name.release);
  const char* dot = std::strchr(name.release, '.');
  const int minor = dot != nullptr ? std::atoi(dot + 1) : 0;
  if (major > 5 || (major == 5 && minor >= 10)) return {Level::kGood, "kernel", found, "", ""};
  return {Level::kNote, "kernel", found, "SandTrap is tested from Linux 5.10 on",
          "use Debian 12 or newer"};
}

Finding examine_cgroups(const config::Settings& settings) {
  struct statfs info {};
  if (::statfs(kCgroups, &info) != 0) {
    return {Level::kPrevents, "cgroups", "/sys/fs/cgroup is not there", "no sandbox can be limited",
            "mount the control groups"};
  }
  const bool v2 = info.f_type == static_cast<long>(CGROUP2_SUPER_MAGIC);
  const std::string missing = missing_controllers(v2);
  const std::string layout =
      v2 ? "version 2" : (::access("/sys/fs/cgroup/unified", F_OK) == 0 ? "hybrid" : "version 1");
  if (!missing.empty()) {
    return {
        own_engine(settings) ? Level::kPrevents : Level::kNote, "cgroups",
        fmt::format("{}, without {}", layout, missing), "a sandbox could not be limited in it",
        "boot with the controllers on (cgroup_enable=memory), or delegate them to this service"};
  }
  if (v2) return {Level::kGood, "cgroups", layout + ": memory, pids, cpu", "", ""};
  const bool swap = ::access("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", F_OK) == 0;
  if (!swap) {
    return {Level::kNote, "cgroups", layout + ": memory, pids, cpu; swap is not counted",
            "a sandbox may use swap beyond container.memory_bytes",
            "boot with swapaccount=1, or without swap"};
  }
  return {Level::kGood, "cgroups", layout + ": memory, pids, cpu, swap", "", ""};
}

Finding examine_user_namespaces(const config::Settings& settings) {
  const int error = in_child([] { return ::unshare(CLONE_NEWUSER); });
  const std::string most = text_of("/proc/sys/user/max_user_namespaces");
  if (error == 0) {
    return {Level::kGood, "user namespaces", fmt::format("can be made, up to {}", most), "", ""};
  }
  return {own_engine(settings) ? Level::kPrevents : Level::kNote, "user namespaces",
          fmt::format("cannot be made: {}", std::strerror(error)),
          "root in a sandbox would be root outside, so the embedded engine makes none",
          "sysctl user.max_user_namespaces=65536 and kernel.unprivileged_userns_clone=1; in a "
          "container, allow it unshare(2)"};
}

Finding examine_overlay(const config::Settings& settings) {
  if (text_of("/proc/filesystems").find("\toverlay") != std::string::npos) {
    return {Level::kGood, "overlay", "the kernel knows it", "", ""};
  }
  return {own_engine(settings) ? Level::kPrevents : Level::kNote, "overlay",
          "not in /proc/filesystems", "sandboxes could not share one image", "modprobe overlay"};
}

Finding examine_loop(const config::Settings& settings) {
  const bool device = ::access("/dev/loop-control", F_OK) == 0;
  bool maker = false;
  for (const char* path : {"/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4"}) {
    maker = maker || ::access(path, X_OK) == 0;
  }
  if (device && maker) {
    return {Level::kGood, "loop", "/dev/loop-control and mkfs.ext4 are there", "", ""};
  }
  return {own_engine(settings) ? Level::kPrevents : Level::kNote, "loop",
          device ? "mkfs.ext4 is missing" : "/dev/loop-control is missing",
          "a sandbox could get no disk of its own",
          device ? "apt-get install e2fsprogs" : "modprobe loop"};
}

// Of use where it is there; SandTrap shifts the image's owners itself, so nothing depends on it.
Finding examine_idmap(const config::Settings& settings) {
  // A bad descriptor shows whether the call is known.
  const long known = ::syscall(SYS_mount_setattr, -1, "", 0, nullptr, 0);
  const bool there = known == -1 && errno != ENOSYS && errno != EPERM;
  const std::string base = std::to_string(settings.oci.userns_base);
  if (there) return {Level::kGood, "idmap", "mount_setattr(2) is there", "", ""};
  return {Level::kNote, "idmap", "no id-mapped mounts",
          "nothing: the image's owners are shifted to " + base + " on disk", ""};
}

Finding examine_seccomp() {
  const std::string actions = text_of("/proc/sys/kernel/seccomp/actions_avail");
  if (has_word(actions, "errno") && has_word(actions, "kill_process")) {
    return {Level::kGood, "seccomp", "filters, with kill_process", "", ""};
  }
  return {Level::kPrevents, "seccomp", actions.empty() ? "not in this kernel" : actions,
          "the gate could not be confined", "use a kernel with CONFIG_SECCOMP_FILTER"};
}

Finding examine_clock() {
  timex now{};
  const int state = ::adjtimex(&now);
  const std::time_t seconds = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  const std::string found = fmt::format(
      "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z, {}", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
      utc.tm_hour, utc.tm_min, utc.tm_sec,
      state == TIME_ERROR || (now.status & STA_UNSYNC) != 0 ? "not synchronised" : "synchronised");
  if (utc.tm_year + 1900 < 2024) {
    return {Level::kNote, "clock", found, "every event would bear a wrong time", "set the clock"};
  }
  if (state == TIME_ERROR || (now.status & STA_UNSYNC) != 0) {
    return {Level::kNote, "clock", found, "events of several sensors may not line up",
            "apt-get install chrony"};
  }
  return {Level::kGood, "clock", found, "", ""};
}

}  // namespace sandtrap::cli
