#include "sandbox/docker_engine.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>

#include "base/instant.h"
#include "sandbox/docker_image.h"
#include "sandbox/docker_profile.h"
#include "sandbox/docker_sandbox.h"
#include "sandbox/guest_login.h"
#include "sandbox/seccomp_profile.h"

namespace sandtrap::sandbox {
namespace json = boost::json;
namespace fs = std::filesystem;
namespace {

// FNV-1a: only has to differ between the data folders of one machine.
std::string instance_of(const std::string& data_dir) {
  std::error_code error;
  const std::string path = fs::weakly_canonical(data_dir, error).string();
  std::uint32_t hash = 2166136261U;
  for (const char c : path) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return fmt::format("{:08x}", hash);
}

DockerOptions completed(DockerOptions options) {
  if (options.instance.empty()) options.instance = instance_of(options.data_dir);
  return options;
}

DockerContainer container_for(const DockerContext& context, std::string id, Limits limits) {
  DockerContainer container;
  container.image = limits.image.empty() ? context.options.image : limits.image;
  container.runtime = context.options.runtime;
  container.instance = context.options.instance;
  container.sandbox = std::move(id);
  container.created = base::to_iso8601(base::wall_now());
  container.seccomp = context.seccomp;
  container.limits = std::move(limits);
  container.limit_disk = context.limit_disk;
  return container;
}

Task<base::Result<std::string>> create_container(DockerContext& context, std::string name,
                                                 DockerContainer container) {
  std::string path = "/containers/create?name=" + name;
  auto made = co_await context.api.post_object(std::move(path), docker_create_body(container),
                                               context.options.start_timeout);
  if (!made) co_return tl::unexpected(made.error());
  co_return docker_text(*made, "Id");
}

// Creates (never starts) a container: does the storage take a size, is the guest's login there?
Task<base::Status> probe(DockerContext& context, bool with_disk_limit) {
  const std::string id = fmt::format("probe-{}", with_disk_limit ? "disk" : "image");
  const std::string name = fmt::format("sandtrap-{}-{}", context.options.instance, id);
  static_cast<void>(co_await remove_docker_container(context, name));  // of an earlier crash
  DockerContainer container = container_for(context, id, Limits{});
  container.limit_disk = with_disk_limit;
  auto made = co_await create_container(context, name, std::move(container));
  if (!made) co_return tl::unexpected(made.error());
  std::string missing;
  for (const std::string_view file : {kGuestLogin, std::string_view("/usr/lib/systemd/systemd")}) {
    std::string path = "/containers/" + *made + "/archive?path=" + net::percent_encode(file);
    auto there = co_await context.api.send("HEAD", std::move(path), {}, DockerApi::kQuick);
    if (!there && missing.empty()) missing = file;
  }
  static_cast<void>(co_await remove_docker_container(context, *made));
  if (!missing.empty()) {
    co_return base::fail(
        base::Errc::kNotFound,
        fmt::format("docker: the image {} has no {}: it is no SandTrap guest image",
                    context.options.image, missing));
  }
  co_return base::Status{};
}

Task<base::Status> describe(DockerContext& context, Capabilities& out) {
  auto info = co_await context.api.get_object("/info", DockerApi::kQuick);
  if (!info) co_return tl::unexpected(info.error());
  out.engine = "docker";
  out.version =
      fmt::format("{} (API {})", docker_text(*info, "ServerVersion"), context.api.version());
  const std::string& wanted = context.options.runtime;
  out.runtime = wanted.empty() ? docker_text(*info, "DefaultRuntime") : wanted;
  const json::object* runtimes = docker_member(*info, "Runtimes");
  if (!wanted.empty() && (runtimes == nullptr || !runtimes->contains(wanted))) {
    co_return base::fail(base::Errc::kNotFound, "docker: the daemon knows no runtime " + wanted);
  }
  if (const json::value* options = info->if_contains("SecurityOptions")) {
    const std::string text = json::serialize(*options);
    out.user_namespace = text.find("name=userns") != std::string::npos;
    if (text.find("name=seccomp") == std::string::npos) {
      co_return base::fail(base::Errc::kUnsupported,
                           "docker: this engine has no seccomp; sandboxes would be open");
    }
  }
  if (!out.user_namespace) {
    out.notes.emplace_back(
        "no user namespace: root inside is root of this machine, held by capabilities, seccomp and "
        "read-only paths (dockerd's userns-remap turns it on)");
  }
  if (docker_number(*info, "MemoryLimit") == 0) {
    out.notes.emplace_back("no memory limit: the kernel or cgroup set-up lacks it");
  }
  if (docker_number(*info, "PidsLimit") == 0) {
    out.notes.emplace_back("no limit of processes: the kernel or cgroup set-up lacks it");
  }
  if (docker_number(*info, "SwapLimit") == 0) {
    out.notes.emplace_back("swap is not limited: a sandbox may use swap beyond its memory");
  }
  co_return base::Status{};
}

}  // namespace

DockerEngine::DockerEngine(DockerOptions options, boost::asio::any_io_executor executor,
                           base::Log& log)
    : context_(std::make_shared<DockerContext>(completed(std::move(options)), executor, log)) {}

DockerEngine::~DockerEngine() = default;

Task<base::Result<Capabilities>> DockerEngine::prepare() {
  const auto context = context_;
  context->seccomp = seccomp_json(seccomp_profile());
  if (auto good = co_await context->api.negotiate(); !good) co_return tl::unexpected(good.error());
  Capabilities capabilities;
  if (auto good = co_await describe(*context, capabilities); !good) {
    co_return tl::unexpected(good.error());
  }
  if (auto good = co_await ensure_docker_image(*context); !good) {
    co_return tl::unexpected(good.error());
  }
  if (auto good = co_await probe(*context, false); !good) co_return tl::unexpected(good.error());
  const auto limited = co_await probe(*context, true);
  context->limit_disk = limited.has_value();
  capabilities.exact_disk_limit = context->limit_disk;
  if (!limited) {
    capabilities.notes.push_back(
        fmt::format("the writable layer of a sandbox is NOT limited ({}); single files are "
                    "(file_size). Put the "
                    "engine's data root on XFS with pquota, or on a partition of its own",
                    limited.error().context));
  }
  if (auto good = co_await context->exits.start(); !good) co_return tl::unexpected(good.error());
  co_return capabilities;
}

Task<base::Result<std::unique_ptr<Sandbox>>> DockerEngine::create(std::string id, Limits limits) {
  const auto context = context_;
  if (!is_docker_sandbox_id(id)) co_return base::fail(base::Errc::kInvalid, "sandbox id " + id);
  const std::string name = "sandtrap-" + id;
  auto made =
      co_await create_container(*context, name, container_for(*context, id, std::move(limits)));
  if (!made) {
    // A time-out leaves open whether it exists.
    if (made.error().code != base::Errc::kExists) {
      static_cast<void>(co_await remove_docker_container(*context, name));
    }
    co_return base::wrap("create " + id, made.error());
  }
  auto started = co_await context->api.post("/containers/" + *made + "/start", {},
                                            context->options.start_timeout);
  if (!started) {
    static_cast<void>(co_await remove_docker_container(*context, *made));
    co_return base::wrap("start " + id, started.error());
  }
  auto target = co_await locate_docker_container(*context, *made);
  if (!target) {
    static_cast<void>(co_await remove_docker_container(*context, *made));
    co_return base::wrap("inspect " + id, target.error());
  }
  auto sandbox = std::make_unique<DockerSandbox>(context, std::move(id), std::move(*target));
  co_await sandbox->attach_agent();
  co_return sandbox;
}

}  // namespace sandtrap::sandbox
