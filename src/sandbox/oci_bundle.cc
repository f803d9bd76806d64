#include "sandbox/oci_bundle.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <initializer_list>

#include "sandbox/guest_login.h"
#include "sandbox/seccomp_profile.h"

namespace sandtrap::sandbox {
namespace json = boost::json;
namespace {

json::array strings(std::initializer_list<std::string_view> values) {
  json::array out;
  for (const auto value : values) out.emplace_back(value);
  return out;
}

json::object limit(std::string_view name, std::uint64_t soft, std::uint64_t hard) {
  json::object out;
  out["type"] = name;
  out["soft"] = soft;
  out["hard"] = hard;
  return out;
}

json::object process(const Limits& limits) {
  json::object capabilities;
  json::array set;
  for (const std::string& name : limits.capabilities) set.emplace_back("CAP_" + name);
  // Inheritable and ambient stay empty: what a setuid program or a user's process gains is what
  // the bounding set allows, not what root happened to have.
  for (const auto kind : {"bounding", "effective", "permitted"}) capabilities[kind] = set;
  json::object user;
  user["uid"] = 0;
  user["gid"] = 0;
  json::object out;
  out["terminal"] = false;
  out["user"] = std::move(user);
  out["args"] = strings({kGuestInit});
  out["env"] =
      strings({"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=linux"});
  out["cwd"] = "/";
  out["capabilities"] = std::move(capabilities);
  json::array rlimits;
  const std::uint64_t files = std::max<std::uint64_t>(limits.open_files, 64);
  rlimits.emplace_back(limit("RLIMIT_NOFILE", std::min<std::uint64_t>(files, 1024), files));
  rlimits.emplace_back(limit("RLIMIT_FSIZE", limits.file_size_bytes, limits.file_size_bytes));
  // 1, not 0: only 1 keeps the kernel from running a core_pattern pipe program on the host for a
  // crash in here (core(5)). `ulimit -c` shows it as 0 blocks.
  rlimits.emplace_back(limit("RLIMIT_CORE", 1, 1));
  out["rlimits"] = std::move(rlimits);
  out["noNewPrivileges"] = limits.no_new_privileges;
  return out;
}

json::object mount(std::string_view target, std::string_view type, std::string_view source,
                   std::initializer_list<std::string_view> options) {
  json::object out;
  out["destination"] = target;
  out["type"] = type;
  out["source"] = source;
  out["options"] = strings(options);
  return out;
}

json::array mounts(const Limits& limits) {
  // Terminals are the whole machine's (kernel.pty.max): one sandbox must not take them all.
  const std::string terminals = "max=" + std::to_string(limits.pids);
  json::array out;
  out.emplace_back(mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev", "relatime"}));
  out.emplace_back(
      mount("/dev", "tmpfs", "udev",
            {"nosuid", "noexec", "strictatime", "mode=755", "size=8m", "nr_inodes=4k"}));
  out.emplace_back(
      mount("/dev/pts", "devpts", "devpts",
            {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5", terminals}));
  out.emplace_back(
      mount("/dev/shm", "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=1777", "size=64m"}));
  out.emplace_back(mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
  out.emplace_back(mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}));
  return out;
}

json::object resources(const BundleSpec& spec) {
  const Limits& limits = spec.limits;
  json::object memory, cpu, pids, out, all_devices;
  memory["limit"] = limits.memory_bytes;
  // In the specification's terms this is memory and swap together: equal means no swap.
  if (spec.limit_swap) memory["swap"] = limits.memory_bytes;
  constexpr std::int64_t kPeriod = 100000;  // microseconds; the kernel's default
  cpu["period"] = kPeriod;
  cpu["quota"] = std::max<std::int64_t>(1000, std::llround(limits.cpus * double{kPeriod}));
  pids["limit"] = limits.pids;
  // Runtimes add null, zero, full, random, urandom, tty and ptys to this.
  all_devices["allow"] = false;
  all_devices["access"] = "rwm";
  out["memory"] = std::move(memory);
  out["cpu"] = std::move(cpu);
  out["pids"] = std::move(pids);
  out["devices"] = json::array{std::move(all_devices)};
  return out;
}

json::object linux_section(const BundleSpec& spec) {
  json::object out;
  json::array namespaces;
  for (const auto type : {"pid", "network", "ipc", "uts", "mount", "user", "cgroup"}) {
    json::object one;
    one["type"] = type;
    namespaces.emplace_back(std::move(one));
  }
  out["namespaces"] = std::move(namespaces);
  json::object map;
  map["containerID"] = 0;
  map["hostID"] = spec.userns_base;
  map["size"] = spec.userns_size;
  out["uidMappings"] = json::array{map};
  out["gidMappings"] = json::array{map};
  out["cgroupsPath"] = spec.cgroups_path;
  out["resources"] = resources(spec);
  out["rootfsPropagation"] = "private";
  // ping without the capability to make raw sockets, as on any recent system.
  json::object sysctl;
  sysctl["net.ipv4.ping_group_range"] = "0 " + std::to_string(spec.userns_size - 1);
  out["sysctl"] = std::move(sysctl);
  out["maskedPaths"] =
      strings({"/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
               "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
               "/sys/firmware", "/sys/devices/virtual/powercap",
               // Each loop device's backing_file names our data folder and the other sandboxes.
               "/sys/devices/virtual/block"});
  out["readonlyPaths"] =
      strings({"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"});
  out["seccomp"] = seccomp_object(seccomp_profile());
  return out;
}

}  // namespace

std::string oci_config(const BundleSpec& spec) {
  json::object root;
  root["path"] = spec.root;
  root["readonly"] = false;
  json::object out;
  out["ociVersion"] = "1.0.2";
  out["process"] = process(spec.limits);
  out["root"] = std::move(root);
  out["hostname"] = spec.limits.hostname;
  out["mounts"] = mounts(spec.limits);
  out["linux"] = linux_section(spec);
  return json::serialize(out);
}

base::Result<std::string> oci_exec_process(const std::string& config,
                                           const std::vector<std::string>& argv, bool terminal) {
  boost::system::error_code error;
  json::value root = json::parse(config, error);
  json::object* object = error ? nullptr : root.if_object();
  json::value* found = object == nullptr ? nullptr : object->if_contains("process");
  if (found == nullptr || !found->is_object())
    return base::fail(base::Errc::kInvalid, "config.json: no process");
  json::object& process = found->get_object();
  json::array args;
  for (const std::string& arg : argv) args.emplace_back(arg);
  process["args"] = std::move(args);
  process["terminal"] = terminal;
  return json::serialize(process);
}

std::vector<std::pair<std::string, std::string>> identity_files(const std::string& hostname) {
  return {{"etc/hostname", hostname + "\n"},
          {"etc/hosts", "127.0.0.1\tlocalhost\n127.0.1.1\t" + hostname +
                            "\n\n# The following lines are desirable for IPv6 capable hosts\n"
                            "::1     localhost ip6-localhost ip6-loopback\n"
                            "ff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n"},
          {"etc/resolv.conf", "domain localdomain\nsearch localdomain\nnameserver 10.0.2.3\n"}};
}

}  // namespace sandtrap::sandbox
