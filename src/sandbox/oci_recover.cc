// What an earlier warden left: the embedded engine's part of a start after a crash.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "sandbox/label.h"
#include "sandbox/loop_disk.h"
#include "sandbox/oci_engine.h"
#include "sandbox/oci_sandbox.h"

namespace sandtrap::sandbox {
namespace fs = std::filesystem;
namespace {

std::vector<std::string> sandbox_folders(const OciShared& shared) {
  std::vector<std::string> ids;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(shared.sandboxes, error)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory(error) && valid_sandbox_id(name)) ids.push_back(name);
  }
  return ids;
}

}  // namespace

// Claimed and running: to adopt. Claimed and dead: preserved. Never claimed, or half-built:
// removed.
Task<std::optional<Leftover>> OciEngine::recover_one(std::string id, pid_t pid) {
  OciShared& s = *shared_;
  std::shared_ptr<Child> init;
  if (pid != 0)
    if (auto child = s.children.adopt(pid); child) init = std::move(*child);
  auto label = read_label(s.label(id));
  const bool has_disk = ::access(s.disk(id).c_str(), R_OK) == 0;
  if (!label || !has_disk) {
    if (!label && label.error().code != base::Errc::kNotFound)
      s.log.warn("sandbox {}: removed: {}", id, label.error().context);
    co_await destroy_container(shared_, id, init);
    co_return std::nullopt;
  }
  if (init) {
    Leftover out;
    out.label = std::move(*label);
    out.frozen = s.freezer(id).frozen();
    out.sandbox = std::make_unique<OciSandbox>(shared_, id, std::move(init), base::Fd());
    co_return out;
  }
  if (auto kept = co_await preserve_container(shared_, id, nullptr, std::move(*label)); !kept)
    s.log.warn("sandbox {}: {}", id, kept.error().context);
  co_return std::nullopt;
}

// A crash at any step leaves the disk in one of the two folders, each time with a label: recover()
// puts back what was not started.
Task<base::Result<Leftover>> OciEngine::restore(std::string reference, std::string id,
                                                Limits limits) {
  OciShared& s = *shared_;
  const fs::path folder(reference);
  if (folder.parent_path() != fs::path(s.preserved) ||
      !valid_sandbox_id(folder.filename().string()) || !valid_sandbox_id(id))
    co_return base::fail(base::Errc::kInvalid, reference + ": not a preserved sandbox");
  if (!s.runtime) co_return base::fail(base::Errc::kUnavailable, "the engine is not prepared");
  auto label = read_label(reference + "/sandbox.json");
  if (!label) co_return base::wrap("restore " + id, label.error());
  const std::string kept = reference + "/disk.ext4";
  if (::access(kept.c_str(), R_OK | W_OK) != 0)
    co_return base::fail(base::Errc::kNotFound, "restore " + id + ": it has no disk");
  if (::access(s.directory(id).c_str(), F_OK) == 0)
    co_return base::fail(base::Errc::kExists, "sandbox " + id);
  label->sandbox = id;
  if (auto written = co_await s.labels.write(s.directory(id), "label.json", *label); !written)
    co_return base::wrap("restore " + id, written.error());
  if (::rename(kept.c_str(), s.disk(id).c_str()) != 0)
    co_return base::fail_errno("restore " + id + ": move the disk", errno);
  if (!label->hostname.empty()) limits.hostname = label->hostname;
  limits.image = label->image;  // its disk is a layer over that one
  auto init = co_await start(id, std::move(limits), Disk::kOwn);
  if (!init) {
    co_await stop_container(shared_, id, nullptr);
    const bool released = co_await loop_released(s.disk(id), std::chrono::seconds(30));
    if (!released) s.log.warn("sandbox {}: its disk is still in use", id);
    if (::rename(s.disk(id).c_str(), kept.c_str()) != 0)
      co_return base::fail_errno("restore " + id + ": move the disk back", errno);
    std::error_code error;
    fs::remove_all(s.directory(id), error);
    co_return base::wrap("restore " + id, init.error());
  }
  std::error_code error;
  fs::remove_all(folder, error);
  std::unique_ptr<Sandbox> out =
      std::make_unique<OciSandbox>(shared_, id, std::move(init->init), std::move(init->agent));
  co_return Leftover{std::move(out), std::move(*label)};
}

Task<std::vector<Leftover>> OciEngine::recover() {
  OciShared& s = *shared_;
  std::vector<Leftover> out;
  if (!s.runtime) co_return out;
  // Logins wait for this: one command for all instead of one for each.
  auto listed = co_await s.runtime->list();
  if (!listed) s.log.warn("{}; asking for each sandbox", listed.error().context);
  std::vector<std::string> ids = sandbox_folders(s);
  for (const std::string& id : ids) {
    pid_t pid = 0;
    if (listed) {
      const auto found = listed->find(id);
      if (found != listed->end()) pid = found->second;
    } else if (auto asked = co_await s.runtime->running(id); asked) {
      pid = *asked;
    }
    if (auto one = co_await recover_one(id, pid)) out.push_back(std::move(*one));
  }
  // Containers whose folder is gone: their data folder was removed under them.
  if (!listed) listed.emplace();
  for (const auto& [id, pid] : *listed) {
    const bool adopted = ::access(s.directory(id).c_str(), F_OK) == 0;
    if (!adopted) co_await stop_container(shared_, id, nullptr);
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(s.bundles, error))
    if (::access(s.directory(entry.path().filename().string()).c_str(), F_OK) != 0)
      fs::remove_all(entry.path(), error);
  for (const auto& entry : fs::directory_iterator(s.scratch, error))
    fs::remove_all(entry.path(), error);
  if (out.empty()) remove_cgroups(s.cgroups, true);
  co_return out;
}

}  // namespace sandtrap::sandbox
