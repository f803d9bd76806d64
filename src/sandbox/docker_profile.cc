#include "sandbox/docker_profile.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "sandbox/guest_login.h"

namespace sandtrap::sandbox {
namespace json = boost::json;
namespace {

json::array texts(const std::vector<std::string>& values) {
  json::array out;
  for (const std::string& value : values) out.emplace_back(value);
  return out;
}

json::object ulimit(std::string_view name, std::uint64_t value) {
  json::object out;
  out["Name"] = json::string_view(name.data(), name.size());
  out["Soft"] = value;
  out["Hard"] = value;
  return out;
}

json::array ulimits(const Limits& limits) {
  json::array out;
  out.push_back(ulimit("nofile", limits.open_files));
  out.push_back(ulimit("fsize", limits.file_size_bytes));
  // 1, not 0: only 1 keeps the kernel from running a core_pattern pipe program on the host for a
  // crash in here (core(5)).
  out.push_back(ulimit("core", 1));
  return out;
}

json::object host_config(const DockerContainer& container) {
  const Limits& limits = container.limits;
  json::object host;
  host["NetworkMode"] = "none";
  host["Memory"] = limits.memory_bytes;
  host["MemorySwap"] = limits.memory_bytes;  // equal: no swap on top
  host["NanoCpus"] = static_cast<std::int64_t>(limits.cpus * 1e9);
  host["PidsLimit"] = limits.pids;
  host["CapDrop"] = json::array{"ALL"};
  host["CapAdd"] = texts(limits.capabilities);
  json::array security;
  if (limits.no_new_privileges) security.emplace_back("no-new-privileges");
  security.emplace_back("seccomp=" + container.seccomp);
  host["SecurityOpt"] = std::move(security);
  host["CgroupnsMode"] = "private";
  host["IpcMode"] = "private";
  host["Ulimits"] = ulimits(limits);
  json::object no_log;
  no_log["Type"] = "none";
  host["LogConfig"] = std::move(no_log);
  // Otherwise Docker copies the resolver settings of this host into the sandbox.
  host["Dns"] = json::array{"1.1.1.1", "8.8.8.8"};
  host["DnsSearch"] = json::array{"."};
  // As Debian's installer writes it.
  host["ExtraHosts"] = json::array{json::string(limits.hostname + ":127.0.1.1")};
  if (!container.runtime.empty()) host["Runtime"] = container.runtime;
  if (container.limit_disk) {
    json::object storage;
    storage["size"] = std::to_string(limits.disk_bytes);
    host["StorageOpt"] = std::move(storage);
  }
  // MaskedPaths and ReadonlyPaths stay absent: Docker's defaults. Never an empty list: without a
  // user namespace /proc/sys/kernel/core_pattern would be writable.
  return host;
}

}  // namespace

std::string docker_create_body(const DockerContainer& container) {
  json::object body;
  body["Image"] = container.image;
  body["Hostname"] = container.limits.hostname;
  body["User"] = "0:0";
  body["WorkingDir"] = "/";
  body["Entrypoint"] = json::array{json::string(kGuestInit.data(), kGuestInit.size())};
  body["Cmd"] = json::array{};
  body["NetworkDisabled"] = true;
  json::object labels;
  labels[kDockerInstanceLabel] = container.instance;
  labels[kDockerSandboxLabel] = container.sandbox;
  labels["sandtrap.created"] = container.created;
  body["Labels"] = std::move(labels);
  body["HostConfig"] = host_config(container);
  return json::serialize(body);
}

}  // namespace sandtrap::sandbox
