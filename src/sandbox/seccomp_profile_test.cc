#include "sandbox/seccomp_profile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <set>

namespace sandtrap::sandbox {
namespace {

bool allowed_without_conditions(const SeccompProfile& profile, std::string_view name) {
  return std::any_of(profile.rules.begin(), profile.rules.end(), [&](const SeccompRule& rule) {
    return rule.error == 0 && rule.args.empty() &&
           std::find(rule.names.begin(), rule.names.end(), name) != rule.names.end();
  });
}

TEST(SeccompProfile, NothingThatReachesTheHostIsAllowed) {
  const SeccompProfile profile = seccomp_profile();
  for (const auto name : {"bpf",
                          "perf_event_open",
                          "keyctl",
                          "add_key",
                          "request_key",
                          "userfaultfd",
                          "kexec_load",
                          "kexec_file_load",
                          "init_module",
                          "finit_module",
                          "delete_module",
                          "open_by_handle_at",
                          "mount",
                          "umount",
                          "umount2",
                          "pivot_root",
                          "move_mount",
                          "fsopen",
                          "fsconfig",
                          "fsmount",
                          "fspick",
                          "open_tree",
                          "mount_setattr",
                          "setns",
                          "unshare",
                          "clone",
                          "clone3",
                          "nfsservctl",
                          "quotactl",
                          "quotactl_fd",
                          "io_uring_setup",
                          "io_uring_enter",
                          "io_uring_register",
                          "socket",
                          "socketcall",
                          "personality",
                          "swapon",
                          "swapoff",
                          "reboot",
                          "settimeofday",
                          "clock_settime",
                          "acct",
                          "syslog",
                          "iopl",
                          "ioperm",
                          "fanotify_init",
                          "lookup_dcookie",
                          "pidfd_getfd",
                          "vhangup",
                          "modify_ldt"})
    EXPECT_FALSE(allowed_without_conditions(profile, name)) << name;
  for (const auto name : {"execve", "openat", "memfd_create", "ptrace", "kill", "chroot"})
    EXPECT_TRUE(allowed_without_conditions(profile, name)) << name;
}

TEST(SeccompProfile, NoCallIsNamedTwiceWithoutConditions) {
  const SeccompProfile profile = seccomp_profile();
  std::set<std::string_view> seen;
  for (const SeccompRule& rule : profile.rules) {
    if (!rule.args.empty()) continue;
    for (const auto name : rule.names) EXPECT_TRUE(seen.insert(name).second) << name;
  }
}

TEST(SeccompProfile, CloneIsAllowedOnlyWithoutNamespaceFlags) {
  const SeccompProfile profile = seccomp_profile();
  const auto rule = std::find_if(profile.rules.begin(), profile.rules.end(),
                                 [](const SeccompRule& r) { return r.names.front() == "clone"; });
  ASSERT_NE(rule, profile.rules.end());
  ASSERT_EQ(rule->args.size(), 1U);
  for (const std::uint64_t flag : {0x20000ULL, 0x2000000ULL, 0x4000000ULL, 0x8000000ULL,
                                   0x10000000ULL, 0x20000000ULL, 0x40000000ULL})
    EXPECT_NE(flag & rule->args[0].value, rule->args[0].value_two) << flag;
}

TEST(SeccompProfile, JsonHasTheShapeBothEnginesRead) {
  const auto root = boost::json::parse(seccomp_json(seccomp_profile())).as_object();
  EXPECT_EQ(root.at("defaultAction"), "SCMP_ACT_ERRNO");
  EXPECT_GE(root.at("architectures").as_array().size(), 2U);
  for (const auto& rule : root.at("syscalls").as_array()) {
    const auto& object = rule.as_object();
    EXPECT_FALSE(object.at("names").as_array().empty());
    const bool allow = object.at("action") == "SCMP_ACT_ALLOW";
    EXPECT_EQ(allow, !object.contains("errnoRet"));
  }
}

}  // namespace
}  // namespace sandtrap::sandbox
