#include "sandbox/agent_streams.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>

#include "sandbox/oci_process.h"

namespace sandtrap::sandbox {
namespace {

constexpr unsigned kPtmxMajor = 5, kPtmxMinor = 2;

// The host's id of the sandbox's root; without a user namespace the map is the identity.
base::Result<std::uint32_t> mapped_root(pid_t pid, const char* map) {
  std::ifstream file(fmt::format("/proc/{}/{}", pid, map));
  std::uint32_t inside = 0, outside = 0, count = 0;
  while (file >> inside >> outside >> count)
    if (inside == 0 && count > 0) return outside;
  return base::fail(base::Errc::kNotFound, "the sandbox's root has no id here");
}

base::Status check_is_ptmx(const base::Fd& fd) {
  struct stat info {};
  struct statfs where {};
  if (::fstat(fd.get(), &info) != 0 || ::fstatfs(fd.get(), &where) != 0)
    return base::fail_errno("look at ptmx", errno);
  if (!S_ISCHR(info.st_mode) || info.st_rdev != makedev(kPtmxMajor, kPtmxMinor) ||
      where.f_type != DEVPTS_SUPER_MAGIC)
    return base::fail(base::Errc::kInvalid, "the sandbox's /dev/pts/ptmx is something else");
  return {};
}

// From another open file description than the master's; the kernel makes it.
base::Result<base::Fd> open_peer(const base::Fd& master) {
  const int peer = ::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (peer < 0) return base::fail_errno("TIOCGPTPEER", errno);
  return base::Fd(peer);
}

}  // namespace

base::Result<SandboxDevices> find_devices(pid_t pid) {
  SandboxDevices out;
  auto uid = mapped_root(pid, "uid_map");
  auto gid = mapped_root(pid, "gid_map");
  if (!uid || !gid) return tl::unexpected(uid ? gid.error() : uid.error());
  out.root_uid = *uid;
  out.root_gid = *gid;
  const std::string path = fmt::format("/proc/{}/root", pid);
  const base::Fd root(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return base::fail_errno("the sandbox's root", errno);
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH;
  out.ptmx = base::Fd(
      static_cast<int>(::syscall(SYS_openat2, root.get(), "dev/pts/ptmx", &how, sizeof(how))));
  if (!out.ptmx) return base::fail_errno("the sandbox's /dev/pts/ptmx", errno);
  if (auto good = check_is_ptmx(out.ptmx); !good) return tl::unexpected(good.error());
  return out;
}

base::Result<AgentStreams> open_terminal(const SandboxDevices& devices, const Terminal& terminal) {
  AgentStreams out;
  const std::string path = fmt::format("/proc/self/fd/{}", devices.ptmx.get());
  base::Fd master(::open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!master) return base::fail_errno("open a terminal", errno);
  const int unlocked = 0;
  if (::ioctl(master.get(), TIOCSPTLCK, &unlocked) != 0)
    return base::fail_errno("unlock a terminal", errno);
  auto slave = open_peer(master);
  if (!slave) return tl::unexpected(slave.error());
  // Ours so far, and so nobody's inside: the agent could not give it to the user.
  if (::fchown(slave->get(), devices.root_uid, static_cast<gid_t>(-1)) != 0)
    return base::fail_errno("chown of a terminal", errno);
  if (auto sized = set_window_size(master.get(), terminal.columns, terminal.rows, terminal.width_px,
                                   terminal.height_px);
      !sized)
    return tl::unexpected(sized.error());
  out.theirs.push_back(std::move(*slave));
  out.ours.input = std::move(master);
  return out;
}

base::Result<AgentStreams> open_pipes(const SandboxDevices& devices) {
  AgentStreams out;
  for (base::Fd* ours : {&out.ours.input, &out.ours.output, &out.ours.error}) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return base::fail_errno("pipe", errno);
    std::array<base::Fd, 2> pipe{base::Fd(ends[0]), base::Fd(ends[1])};
    // The agent gives it to the user, who can then open /dev/stdout by name.
    if (::fchown(ends[0], devices.root_uid, devices.root_gid) != 0)
      return base::fail_errno("chown of a pipe", errno);
    const bool is_input = ours == &out.ours.input;
    *ours = std::move(pipe[is_input ? 1 : 0]);
    out.theirs.push_back(std::move(pipe[is_input ? 0 : 1]));
  }
  return out;
}

}  // namespace sandtrap::sandbox
