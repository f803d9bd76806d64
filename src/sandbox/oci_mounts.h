// The root file system of one sandbox, built in a mount namespace of its own between fork and the
// runtime's exec. The runtime hands it on to the sandbox's namespace and ends: neither the host nor
// the warden ever has one of these mounts, so no crash can leave one behind.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sandbox/child.h"

namespace sandtrap::sandbox {

struct MountPlan {
  std::string image;          // the shared lower tree
  std::string template_disk;  // copied to `disk`; empty: `disk` is there already
  std::string disk;
  // Where the root file system is mounted: a directory of the host, because the runtime goes there
  // (outside the namespace of these mounts) at each exec.
  std::string root;
  // An existing, otherwise unneeded directory that a small tmpfs covers. The sandbox can read the
  // overlay's layer paths in /proc/mounts: below /media they are those of Debian's overlayroot.
  std::string work_area = "/media";
  std::uint32_t owner = 0;                                 // host uid of the sandbox's root
  std::vector<std::pair<std::string, std::string>> files;  // below /, with content
  bool hide_unified = false;  // unmount the v2 side of a hybrid cgroup layout (crun)
};

class SandboxMounts final : public Preparation {
 public:
  explicit SandboxMounts(const MountPlan& plan);
  const char* apply() const noexcept override;

 private:
  bool write_files() const noexcept;
  const char* own_devices() const noexcept;

  struct File {
    std::string path, content;
    std::vector<std::string> parents;
  };
  std::string image_, template_, disk_, area_, lower_, writable_, devices_, root_, options_;
  std::uint32_t owner_;
  std::vector<File> files_;
  bool hide_unified_;
};

// Only the mount namespace and the unmount, for the runtime's other commands on such a host.
class HideUnified final : public Preparation {
 public:
  const char* apply() const noexcept override;
};

}  // namespace sandtrap::sandbox
