#include "warden/preserved.h"

#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <filesystem>
#include <unordered_set>

#include "sandbox/label.h"

namespace sandtrap::warden {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxScanned = 100'000;   // preserved sandboxes
constexpr std::size_t kMaxWalked = 1'000'000;  // files of one of them
constexpr std::uint64_t kStatBlock = 512;      // unit of st_blocks, stat(2)
constexpr std::uint64_t kRemovalsAtOnce = 16;  // between two looks at the rules

// Disk use below `directory`, links not followed.
std::uint64_t disk_use(const fs::path& directory) {
  std::uint64_t bytes = 0;
  std::size_t walked = 0;
  std::error_code error;
  fs::recursive_directory_iterator it(directory, fs::directory_options::skip_permission_denied,
                                      error);
  for (; !error && it != fs::recursive_directory_iterator() && walked < kMaxWalked; ++walked) {
    struct stat st {};
    if (::lstat(it->path().c_str(), &st) == 0) {
      bytes += static_cast<std::uint64_t>(st.st_blocks) * kStatBlock;
    }
    it.increment(error);
  }
  return bytes;
}

base::WallTime ended_at(const sandbox::Label& label, const fs::path& directory) {
  std::tm tm{};
  if (::strptime(label.ended.c_str(), "%Y-%m-%dT%H:%M:%S", &tm) != nullptr) {
    return base::WallTime{static_cast<std::int64_t>(::timegm(&tm)) * 1'000'000};
  }
  struct stat st {};
  if (::lstat(directory.c_str(), &st) != 0) return {};
  return base::WallTime{static_cast<std::int64_t>(st.st_mtim.tv_sec) * 1'000'000};
}

}  // namespace

std::vector<Kept> scan_preserved(const std::string& directory) {
  std::vector<Kept> found;
  std::error_code error;
  fs::directory_iterator it(directory, error);
  for (; !error && it != fs::directory_iterator() && found.size() < kMaxScanned;
       it.increment(error)) {
    std::error_code ignored;
    if (!it->is_directory(ignored) || it->is_symlink(ignored)) continue;
    const auto label = sandbox::read_label((it->path() / "sandbox.json").string());
    if (!label) continue;
    found.push_back(Kept{it->path().string(), label->sandbox, ended_at(*label, it->path()),
                         disk_use(it->path()), label->case_id, label->source_ip});
  }
  return found;
}

PreservedSandboxes::PreservedSandboxes(net::asio::any_io_executor executor, sandbox::Engine& engine,
                                       config::Preservation settings, event::EventLog& events,
                                       base::Log& log)
    : engine_(engine),
      settings_(settings),
      events_(events),
      log_(log),
      tasks_(std::move(executor), log) {}

void PreservedSandboxes::add(Kept kept) {
  kept_.push_back(std::move(kept));
  sweep();
}

// The scan runs beside the pool: what was preserved meanwhile may be in both.
void PreservedSandboxes::add(std::vector<Kept> found) {
  std::unordered_set<std::string> known;
  for (const Kept& one : kept_) known.insert(one.sandbox);
  for (Kept& one : found) {
    if (!known.contains(one.sandbox)) kept_.push_back(std::move(one));
  }
  sweep();
}

void PreservedSandboxes::forget(const std::string& reference) {
  std::erase_if(kept_, [&](const Kept& one) { return one.reference == reference; });
}

void PreservedSandboxes::configure(config::Preservation settings) {
  settings_ = settings;
  sweep();
}

void PreservedSandboxes::sweep() {
  if (sweeping_) return;
  std::vector<std::size_t> indices = expired(kept_, settings_, base::wall_now());
  if (indices.empty()) return;
  indices.resize(std::min<std::size_t>(indices.size(), kRemovalsAtOnce));
  std::vector<Kept> gone;
  for (const std::size_t i : indices) gone.push_back(kept_[i]);
  std::sort(indices.begin(), indices.end());
  for (auto i = indices.rbegin(); i != indices.rend(); ++i) {
    kept_.erase(kept_.begin() + static_cast<std::ptrdiff_t>(*i));
  }
  sweeping_ = true;
  tasks_.spawn("retention", remove(std::move(gone)));
}

net::Task<std::vector<Kept>> PreservedSandboxes::cleanup(Cleanup wanted) {
  std::vector<Kept> gone, removed;
  for (const std::size_t i : to_clean(kept_, wanted, base::wall_now())) gone.push_back(kept_[i]);
  for (const Kept& one : gone) {
    // Its case may have returned for it meanwhile.
    const bool there = std::any_of(kept_.begin(), kept_.end(), [&](const Kept& other) {
      return other.reference == one.reference;
    });
    if (there && co_await remove_now(one.reference)) removed.push_back(one);
  }
  co_return removed;
}

net::Task<base::Status> PreservedSandboxes::remove_now(std::string reference) {
  const auto it = std::find_if(kept_.begin(), kept_.end(),
                               [&](const Kept& one) { return one.reference == reference; });
  const std::string sandbox = it != kept_.end() ? it->sandbox : "";
  forget(reference);
  const base::Status removed = co_await engine_.remove_preserved(reference);
  if (!removed) {
    log_.warn("cleanup: {}: {}", reference, removed.error().context);
    co_return removed;
  }
  (void)events_.emit({}, event::SandboxRemoved{sandbox, "by hand"});
  if (on_removed_) on_removed_(reference);
  co_return removed;
}

// One that cannot be removed is not tried again before the next start: it would fail for ever.
net::Task<void> PreservedSandboxes::remove(std::vector<Kept> gone) {
  for (const Kept& one : gone) {
    const base::Status removed = co_await engine_.remove_preserved(one.reference);
    if (removed) {
      (void)events_.emit({}, event::SandboxRemoved{one.sandbox, "retention"});
      if (on_removed_) on_removed_(one.reference);
    } else {
      log_.warn("retention: {}: {}", one.reference, removed.error().context);
      (void)events_.emit({}, event::ErrorRaised{"retention", removed.error().context});
    }
  }
  sweeping_ = false;
  sweep();
}

}  // namespace sandtrap::warden
