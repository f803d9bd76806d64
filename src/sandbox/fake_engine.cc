#include "sandbox/fake_engine.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "sandbox/fake_sandbox.h"
#include "sandbox/label.h"

namespace sandtrap::sandbox {
namespace fs = std::filesystem;

FakeEngine::FakeEngine(FakeOptions options, base::Log& log)
    : shared_(std::make_shared<Shared>(Shared{std::move(options), log, {}})) {
  if (shared_->options.preserved.empty()) {
    shared_->options.preserved = shared_->options.root + "/preserved";
  }
}

FakeEngine::~FakeEngine() = default;

const FakeCounts& FakeEngine::counts() const {
  return shared_->counts;
}

Task<base::Result<Capabilities>> FakeEngine::prepare() {
  shared_->log.warn(
      "FAKE ENGINE: every login gets a shell ON THIS HOST, nothing is isolated. For tests only; "
      "never reachable from a network");
  std::error_code error;
  fs::create_directories(shared_->options.root, error);
  if (error) co_return base::fail_errno("create " + shared_->options.root, error.value());
  ::chmod(shared_->options.root.c_str(), 0711);
  Capabilities capabilities;
  capabilities.engine = "fake";
  capabilities.version = "0";
  capabilities.runtime = "none";
  capabilities.notes = {"FOR TESTS ONLY: processes run on this host without any isolation"};
  co_return capabilities;
}

Task<base::Result<std::unique_ptr<Sandbox>>> FakeEngine::create(std::string id, Limits limits) {
  const auto shared = shared_;
  const unsigned attempt = ++shared->counts.creates;
  shared->counts.creating_most =
      std::max(shared->counts.creating_most, ++shared->counts.creating_now);
  co_await fake_pause(shared->options.create_delay);
  --shared->counts.creating_now;
  if (asked_to_fail(shared->options.create_fails, attempt)) {
    co_return base::fail(base::Errc::kUnavailable, "fake: create was told to fail");
  }
  if (!limits.image.empty() && limits.image == shared->options.missing_image) {
    co_return base::fail(base::Errc::kNotFound, "fake: there is no image " + limits.image);
  }
  const std::string directory = shared->options.root + "/" + id;
  std::error_code error;
  if (!fs::create_directories(directory, error)) {
    co_return base::fail(base::Errc::kExists, "fake: " + directory + " exists already");
  }
  if (::geteuid() == 0 &&
      ::chown(directory.c_str(), shared->options.uid, shared->options.uid) != 0) {
    co_return base::fail_errno("chown " + directory, errno);
  }
  ++shared->counts.created;
  std::unique_ptr<Sandbox> sandbox = std::make_unique<FakeSandbox>(shared, std::move(id));
  co_return sandbox;
}

Task<base::Result<Leftover>> FakeEngine::restore(std::string reference, std::string id, Limits) {
  const auto shared = shared_;
  const unsigned attempt = ++shared->counts.restores;
  co_await fake_pause(shared->options.create_delay);
  if (asked_to_fail(shared->options.restore_fails, attempt)) {
    co_return base::fail(base::Errc::kUnavailable, "fake: restore was told to fail");
  }
  const std::string directory = shared->options.root + "/" + id;
  std::error_code error;
  if (fs::exists(directory, error)) {
    co_return base::fail(base::Errc::kExists, "fake: " + directory + " exists already");
  }
  auto label = read_label(reference + "/sandbox.json");
  if (!label) co_return base::wrap("restore " + id, label.error());
  label->sandbox = id;
  const std::string state = shared->options.root + "/state/" + id;
  if (auto written = write_label(state, "label.json", *label); !written) {
    co_return base::wrap("restore " + id, written.error());
  }
  fs::rename(reference, directory, error);
  if (error) co_return base::fail_errno("restore: rename to " + directory, error.value());
  ++shared->counts.restored;
  std::unique_ptr<Sandbox> sandbox = std::make_unique<FakeSandbox>(shared, std::move(id));
  co_return Leftover{std::move(sandbox), std::move(*label)};
}

Task<std::vector<Leftover>> FakeEngine::recover() {
  std::vector<Leftover> leftovers;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(shared_->options.root, error)) {
    const std::string id = entry.path().filename();
    const bool is_id =
        id.size() == 12 && id.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!is_id || !entry.is_directory()) continue;
    auto sandbox = std::make_unique<FakeSandbox>(shared_, id);
    auto label = read_label(shared_->options.root + "/state/" + id + "/label.json");
    if (!label) {  // warm or half-built
      co_await sandbox->destroy();
      continue;
    }
    const bool frozen = fs::exists(shared_->options.root + "/state/" + id + "/frozen", error);
    leftovers.push_back(Leftover{std::move(sandbox), std::move(*label), frozen});
  }
  co_return leftovers;
}

Task<base::Status> FakeEngine::remove_preserved(const std::string& reference) {
  const fs::path path(reference);
  std::error_code error;
  const auto parent = fs::weakly_canonical(path.parent_path(), error);
  if (parent != fs::weakly_canonical(shared_->options.preserved, error)) {
    co_return base::fail(base::Errc::kInvalid, reference + " is not a preserved sandbox");
  }
  if (fs::remove_all(path, error) == 0 || error) {
    co_return base::fail(base::Errc::kNotFound, reference + ": nothing there");
  }
  co_return base::Status{};
}

}  // namespace sandtrap::sandbox
