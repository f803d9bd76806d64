// What this machine offers to the embedded engine: found once at start, shown to the operator.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace sandtrap::sandbox {

enum class CgroupLayout { kV1, kHybrid, kV2 };

struct HostFacts {
  std::string runtime;          // absolute path
  std::string image;            // the guest's shifted root file system
  std::string work_area, root;  // MountPlan's; directories that every system has
  CgroupLayout cgroups = CgroupLayout::kV2;
  bool limit_swap = true;
  bool hide_unified = false;  // crun refuses a hybrid layout with controllers on the v2 side
  std::vector<std::string> notes;
};

struct HostQuestion {
  std::string runtime;  // path or name; empty: runc, else crun
  std::string image;  // empty: <folder of this program>/../guest/…, then /var/lib/sandtrap/images/…
  std::uint32_t userns_base = 0;
  std::vector<std::string> paths;  // that the work area must not cover
};

base::Result<HostFacts> examine_host(const HostQuestion& question);

// The image's directory, with owners shifted by `userns_base`.
base::Result<std::string> find_oci_image(const std::string& configured, const std::string& exe_dir,
                                         std::uint32_t userns_base);
base::Result<std::string> find_runtime(const std::string& configured);

// Removes the control groups below `parent` ("/st-…") in every hierarchy, and `parent` itself;
// `kill` ends what still runs in them.
void remove_cgroups(const std::string& parent, bool kill);
// Kills what runs in the control group "/st-…/<id>"; removes it once nothing does. False: there was
// nothing to kill.
bool end_cgroup(const std::string& path);

}  // namespace sandtrap::sandbox
