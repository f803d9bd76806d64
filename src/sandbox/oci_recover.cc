// What an earlier warden left: the embedded engine's part of a start after a crash.
#include <unistd.h>

#include <filesystem>

#include "sandbox/label.h"
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
Task<std::optional<Leftover>> OciEngine::recover_one(std::string id) {
  OciShared& s = *shared_;
  std::shared_ptr<Child> init;
  if (const auto pid = co_await s.runtime->running(id); pid)
    if (auto child = s.children.adopt(*pid); child) init = std::move(*child);
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
    out.sandbox = std::make_unique<OciSandbox>(shared_, id, std::move(init));
    co_return out;
  }
  if (auto kept = co_await preserve_container(shared_, id, nullptr, std::move(*label)); !kept)
    s.log.warn("sandbox {}: {}", id, kept.error().context);
  co_return std::nullopt;
}

Task<std::vector<Leftover>> OciEngine::recover() {
  OciShared& s = *shared_;
  std::vector<Leftover> out;
  if (!s.runtime) co_return out;
  std::vector<std::string> ids = sandbox_folders(s);
  for (const std::string& id : ids)
    if (auto one = co_await recover_one(id)) out.push_back(std::move(*one));
  // Containers whose folder is gone: their data folder was removed under them.
  auto listed = co_await s.runtime->list();
  for (const std::string& id : listed ? *listed : std::vector<std::string>{}) {
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
