#include "sandbox/oci_engine.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "sandbox/agent.h"
#include "sandbox/cpu_burst.h"
#include "sandbox/loop_disk.h"
#include "sandbox/oci_bundle.h"
#include "sandbox/oci_mounts.h"
#include "sandbox/oci_sandbox.h"

namespace sandtrap::sandbox {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kSmallestDisk = 16U << 20;  // below, ext4's own structures fill it

base::Status make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return base::fail_errno("create " + path, error.value());
  if (::chmod(path.c_str(), 0700) != 0) return base::fail_errno("chmod " + path, errno);
  return {};
}

base::Status write_config(const std::string& folder, const std::string& text) {
  if (auto made = make_folder(folder); !made) return made;
  std::ofstream file(folder + "/config.json", std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return base::fail(base::Errc::kIo, "write " + folder + "/config.json");
  return {};
}

// Templates for another limit, and those that a crash left half-made.
void remove_other_templates(const OciShared& shared) {
  std::error_code error;
  const fs::path keep = shared.template_disk(shared.options.disk_bytes);
  for (const auto& entry : fs::directory_iterator(shared.sandboxes, error))
    if (entry.is_regular_file(error) && entry.path() != keep) fs::remove(entry.path(), error);
}

}  // namespace

OciEngine::OciEngine(OciOptions options, boost::asio::io_context& io, base::Log& log)
    : shared_(std::make_shared<OciShared>(std::move(options), io, log)) {}

OciEngine::~OciEngine() {
  remove_cgroups(shared_->cgroups, false);  // only empty ones: what still runs is to be adopted
}

Task<base::Result<Capabilities>> OciEngine::prepare() {
  OciShared& s = *shared_;
  for (const std::string* folder : {&s.sandboxes, &s.preserved, &s.bundles, &s.state, &s.scratch})
    if (auto made = make_folder(*folder); !made) co_return tl::unexpected(made.error());
  HostQuestion question;
  question.runtime = s.options.runtime;
  question.image = s.options.image;
  question.userns_base = s.options.userns_base;
  question.paths = {s.options.data_dir, s.options.run_dir};
  question.paths.insert(question.paths.end(), s.options.images.begin(), s.options.images.end());
  auto host = examine_host(question);
  if (!host) co_return tl::unexpected(host.error());
  s.host = std::move(*host);
  RuntimeOptions runtime;
  runtime.program = s.host.runtime;
  runtime.state_dir = s.state;
  runtime.scratch = s.scratch;
  runtime.hide_unified = s.host.hide_unified;
  runtime.limit = s.options.start_timeout;
  s.runtime = std::make_unique<OciRuntime>(s.children, std::move(runtime));
  auto version = co_await s.runtime->version();
  if (!version) co_return tl::unexpected(version.error());
  remove_other_templates(s);
  if (auto disk = co_await template_disk(s.options.disk_bytes); !disk)
    co_return tl::unexpected(disk.error());
  Capabilities out;
  out.engine = "oci";
  out.version = *version;
  out.runtime = s.host.runtime;
  out.user_namespace = true;
  out.exact_disk_limit = true;
  out.notes = s.host.notes;
  co_return out;
}

Task<base::Status> OciEngine::template_disk(std::uint64_t bytes) {
  const std::string path = shared_->template_disk(bytes);
  if (::access(path.c_str(), R_OK) == 0) co_return base::Status{};
  if (bytes < kSmallestDisk) co_return base::fail(base::Errc::kInvalid, "disk limit below 16 MiB");
  co_return co_await make_template_disk(shared_->children, path, bytes,
                                        shared_->options.userns_base);
}

Task<base::Result<OciEngine::Started>> OciEngine::start(std::string id, Limits limits, Disk disk) {
  OciShared& s = *shared_;
  MountPlan plan;
  plan.image = s.host.image;
  if (!limits.image.empty()) {
    auto other = find_oci_image(limits.image, {}, s.options.userns_base);
    if (!other) co_return tl::unexpected(other.error());
    plan.image = *other;
  }
  if (disk == Disk::kFresh) plan.template_disk = s.template_disk(limits.disk_bytes);
  plan.disk = s.disk(id);
  plan.root = s.host.root;
  plan.work_area = s.host.work_area;
  plan.owner = s.options.userns_base;
  if (disk == Disk::kFresh) plan.files = identity_files(limits.hostname);
  plan.hide_unified = s.host.hide_unified;
  const SandboxMounts mounts(plan);

  BundleSpec spec;
  spec.limits = limits;
  spec.root = s.host.root;
  spec.userns_base = s.options.userns_base;
  spec.userns_size = s.options.userns_size;
  spec.cgroups_path = s.cgroups + "/" + id;
  spec.limit_swap = s.host.limit_swap;
  if (auto made = make_folder(s.directory(id)); !made) co_return tl::unexpected(made.error());
  if (auto made = write_config(s.bundle(id), oci_config(spec)); !made)
    co_return tl::unexpected(made.error());
  auto socket = make_agent_socket();
  if (!socket) co_return tl::unexpected(socket.error());
  auto init = co_await s.runtime->start(id, s.bundle(id), mounts, socket->theirs.get());
  if (!init) co_return tl::unexpected(init.error());
  if (auto allowed = allow_cpu_burst((*init)->pid()); !allowed)
    s.log.debug("sandbox {}: no burst: {}", id, allowed.error().context);
  co_return Started{std::move(*init), std::move(socket->ours)};
}

Task<base::Result<std::unique_ptr<Sandbox>>> OciEngine::create(std::string id, Limits limits) {
  OciShared& s = *shared_;
  if (!valid_sandbox_id(id)) co_return base::fail(base::Errc::kInvalid, "sandbox id");
  if (!s.runtime) co_return base::fail(base::Errc::kUnavailable, "the engine is not prepared");
  if (::access(s.directory(id).c_str(), F_OK) == 0)
    co_return base::fail(base::Errc::kExists, "sandbox " + id);
  if (auto disk = co_await template_disk(limits.disk_bytes); !disk)
    co_return base::wrap("sandbox " + id, disk.error());
  auto init = co_await start(id, std::move(limits), Disk::kFresh);
  if (!init) {
    co_await destroy_container(shared_, id, nullptr);
    co_return base::wrap("sandbox " + id, init.error());
  }
  co_return std::make_unique<OciSandbox>(shared_, id, std::move(init->init),
                                         std::move(init->agent));
}

Task<base::Status> OciEngine::remove_preserved(const std::string& reference) {
  const fs::path path(reference);
  // Whatever is asked, nothing outside our own folder is removed.
  if (path.parent_path() != fs::path(shared_->preserved) ||
      !valid_sandbox_id(path.filename().string()))
    co_return base::fail(base::Errc::kInvalid, reference + ": not a preserved sandbox");
  std::error_code error;
  if (fs::remove_all(path, error) == 0)
    co_return base::fail(base::Errc::kNotFound, reference + ": not there");
  if (error) co_return base::fail_errno("remove " + reference, error.value());
  co_return base::Status{};
}

}  // namespace sandtrap::sandbox
