#include "gate/confinement.h"

#include <cap-ng.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

namespace sandtrap::gate {
namespace {

using base::Errc;
using base::Status;

Status set_limit(__rlimit_resource which, rlim_t value, const char* what) {
  const rlimit limit{value, value};
  if (::setrlimit(which, &limit) != 0) return base::fail_errno(what, errno);
  return {};
}

// An empty network namespace costs nothing: a listening socket keeps the namespace it was made in,
// so accept(2) goes on, while a socket made here could reach nobody.
bool unshare_namespaces(ConfinementReport& report) {
  struct Namespace {
    int flag;
    const char* name;
  };
  const Namespace rest[] = {{CLONE_NEWNET, "network"},
                            {CLONE_NEWIPC, "ipc"},
                            {CLONE_NEWUTS, "uts"},
                            {CLONE_NEWCGROUP, "cgroup"}};
  for (const Namespace& one : rest) {
    if (::unshare(one.flag) != 0) report.missing.push_back(std::string(one.name) + " namespace");
  }
  if (::unshare(CLONE_NEWNS) == 0) return true;
  report.missing.emplace_back("mount namespace");
  return false;
}

Status enter_empty_mount() {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return base::fail_errno("make mounts private", errno);
  }
  // Hides /run (or /tmp) in our own mount namespace only.
  constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  constexpr const char* kOptions = "size=4k,nr_inodes=2,mode=0555";
  const char* place = "/run";
  if (::mount("none", place, "tmpfs", kFlags, kOptions) != 0) {
    place = "/tmp";
    if (::mount("none", place, "tmpfs", kFlags, kOptions) != 0) {
      return base::fail_errno("mount the empty root", errno);
    }
  }
  if (::mount("none", place, nullptr, kFlags | MS_REMOUNT | MS_RDONLY, nullptr) != 0) {
    return base::fail_errno("make the empty root read-only", errno);
  }
  if (::chdir(place) != 0) return base::fail_errno("enter the empty root", errno);
  // pivot_root(".", "."): the old root ends up under the new one, and is let go at once. On an
  // initramfs pivot_root is impossible; chroot then hides the rest.
  if (::syscall(SYS_pivot_root, ".", ".") == 0) {
    if (::umount2(".", MNT_DETACH) != 0) return base::fail_errno("let go of the old root", errno);
  } else if (::chroot(".") != 0) {
    return base::fail_errno("chroot", errno);
  }
  return {};
}

Status enter_empty_directory(const std::string& run_dir) {
  const std::string path = (run_dir.empty() ? std::string("/run") : run_dir) + "/empty";
  if (::mkdir(path.c_str(), 0555) != 0 && errno != EEXIST) {
    return base::fail_errno("mkdir " + path, errno);
  }
  if (::chroot(path.c_str()) != 0) return base::fail_errno("chroot " + path, errno);
  return {};
}

Status set_limits(std::uint64_t max_descriptors) {
  if (auto ok = set_limit(RLIMIT_NOFILE, max_descriptors, "RLIMIT_NOFILE"); !ok) return ok;
  if (auto ok = set_limit(RLIMIT_CORE, 0, "RLIMIT_CORE"); !ok) return ok;
  if (auto ok = set_limit(RLIMIT_MEMLOCK, 0, "RLIMIT_MEMLOCK"); !ok) return ok;
  if (auto ok = set_limit(RLIMIT_MSGQUEUE, 0, "RLIMIT_MSGQUEUE"); !ok) return ok;
  // After this no fork even for another hole's sake; counted per user, and ours is only the gate's.
  return set_limit(RLIMIT_NPROC, 0, "RLIMIT_NPROC");
}

Status drop_privileges(const Identity& identity) {
  capng_clear(CAPNG_SELECT_ALL);
  const int flags = CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING | CAPNG_CLEAR_AMBIENT;
  const int changed =
      capng_change_id(static_cast<int>(identity.uid), static_cast<int>(identity.gid),
                      static_cast<capng_flags_t>(flags));
  if (changed != 0) {
    return base::fail(Errc::kDenied, "drop to the gate's user: step " + std::to_string(-changed));
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return base::fail_errno("NO_NEW_PRIVS", errno);
  // Last of the credentials' steps: a change of user sets the flag again.
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return base::fail_errno("PR_SET_DUMPABLE", errno);
  return {};
}

// Trust is good: ask the kernel what is left.
Status verify_dropped(const Identity& identity) {
  uid_t ruid = 0, euid = 0, suid = 0;
  gid_t rgid = 0, egid = 0, sgid = 0;
  if (::getresuid(&ruid, &euid, &suid) != 0 || ::getresgid(&rgid, &egid, &sgid) != 0 ||
      ruid != identity.uid || euid != identity.uid || suid != identity.uid ||
      rgid != identity.gid || egid != identity.gid || sgid != identity.gid ||
      ::getgroups(0, nullptr) != 0) {
    return base::fail(Errc::kDenied, "the gate still has another user or group");
  }
  for (unsigned long capability = 0; capability < 64; ++capability) {
    const int held = ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (held < 0) break;  // past the kernel's last one
    if (held != 0) return base::fail(Errc::kDenied, "the gate's bounding set is not empty");
  }
  if (capng_get_caps_process() != 0 || capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE) {
    return base::fail(Errc::kDenied, "the gate still has capabilities");
  }
  return {};
}

}  // namespace

base::Result<Identity> resolve_user(const std::string& name) {
  std::uint32_t number = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data(), end, number);
  Identity identity;
  if (error == std::errc() && stop == end) {
    identity = {number, number};
  } else {
    const passwd* entry = ::getpwnam(name.c_str());
    if (entry == nullptr) return base::fail(Errc::kNotFound, "no user \"" + name + "\"");
    identity = {entry->pw_uid, entry->pw_gid};
  }
  if (identity.uid == 0 || identity.gid == 0) {
    return base::fail(Errc::kInvalid, "the gate must not run as root (user \"" + name + "\")");
  }
  return identity;
}

base::Result<ConfinementReport> confine(const ConfinementPlan& plan) {
  if (::geteuid() != 0) return base::fail(Errc::kDenied, "the gate must be started as root");
  ConfinementReport report;
  capng_get_caps_process();  // libcap-ng looks at /proc once; afterwards there is none
  const bool own_mounts = unshare_namespaces(report);
  if (auto ok = own_mounts ? enter_empty_mount() : enter_empty_directory(plan.run_dir); !ok) {
    return base::wrap("empty root", ok.error());
  }
  if (::chdir("/") != 0) return base::fail_errno("chdir /", errno);
  if (auto ok = set_limits(plan.max_descriptors); !ok) return tl::unexpected(ok.error());
  if (auto ok = drop_privileges(plan.identity); !ok) return tl::unexpected(ok.error());
  if (auto ok = verify_dropped(plan.identity); !ok) return tl::unexpected(ok.error());
  if (auto ok = install_seccomp_filter(plan.on_forbidden); !ok) return tl::unexpected(ok.error());
  return report;
}

}  // namespace sandtrap::gate
