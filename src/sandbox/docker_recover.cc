// What outlives a warden: containers of an earlier run, and those that are preserved.
#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>
#include <filesystem>
#include <set>

#include "base/instant.h"
#include "net/task.h"
#include "sandbox/docker_engine.h"
#include "sandbox/docker_profile.h"
#include "sandbox/docker_sandbox.h"
#include "sandbox/label.h"

namespace sandtrap::sandbox {
namespace json = boost::json;
namespace fs = std::filesystem;
namespace {

constexpr int kListAttempts = 10;
constexpr std::chrono::seconds kListPause{2};

struct Found {  // a container of ours
  std::string container, sandbox, state;
};

Task<base::Result<std::vector<Found>>> list_containers(DockerContext& context) {
  json::object filters;
  filters["label"] =
      json::array{json::string(std::string(kDockerInstanceLabel) + "=" + context.options.instance)};
  std::string path =
      "/containers/json?all=1&filters=" + net::percent_encode(json::serialize(filters));
  auto response = co_await context.api.get(std::move(path), DockerApi::kQuick);
  if (!response) co_return tl::unexpected(response.error());
  boost::system::error_code error;
  const json::value value = json::parse(response->body, error);
  if (error || !value.is_array()) {
    co_return base::fail(base::Errc::kInvalid, "docker: the list of containers is no array");
  }
  std::vector<Found> out;
  for (const json::value& item : value.get_array()) {
    const json::object* one = item.if_object();
    const json::object* labels = one != nullptr ? docker_member(*one, "Labels") : nullptr;
    if (labels == nullptr) continue;
    out.push_back({docker_text(*one, "Id"), docker_text(*labels, kDockerSandboxLabel),
                   docker_text(*one, "State")});
  }
  co_return out;
}

// Labels without a container: the engine lost it, or a crash came between removing the two. The
// embedded engine keeps more than a label in such a folder; those are not ours.
void drop_orphan_labels(const DockerContext& context, const std::set<std::string>& alive) {
  std::error_code error;
  std::vector<std::string> orphans;
  for (const auto& entry : fs::directory_iterator(context.options.data_dir + "/sandboxes", error)) {
    const std::string id = entry.path().filename();
    if (!is_docker_sandbox_id(id) || alive.contains(id)) continue;
    bool only_label = true;
    for (const auto& file : fs::directory_iterator(entry.path(), error)) {
      only_label =
          only_label && file.path().filename().string().find("label.json") != std::string::npos;
    }
    if (only_label) orphans.push_back(entry.path());
  }
  for (const std::string& path : orphans) {
    context.log.warn("docker: {} names a sandbox that is gone", path);
    fs::remove_all(path, error);
  }
}

// Stopped, with a label in the folder of what is preserved.
bool is_preserved(const DockerContext& context, const Found& one) {
  return is_docker_sandbox_id(one.sandbox) && one.state != "running" && one.state != "paused" &&
         read_label(context.preserved_directory(one.sandbox) + "/sandbox.json").has_value();
}

}  // namespace

Task<std::vector<Leftover>> DockerEngine::recover() {
  const auto context = context_;
  std::vector<Leftover> leftovers;
  auto found = co_await list_containers(*context);
  // What is not found would be taken for lost.
  boost::asio::steady_timer pause(context->executor);
  for (int attempt = 1; !found && attempt < kListAttempts; ++attempt) {
    context->log.warn("docker: cannot look for leftovers: {}", found.error().context);
    pause.expires_after(kListPause);
    co_await pause.async_wait(net::use_ec);
    found = co_await list_containers(*context);
  }
  if (!found) {
    context->log.error("docker: cannot look for leftovers: {}", found.error().context);
    co_return leftovers;
  }
  std::set<std::string> alive;
  for (const Found& one : *found) {
    auto label = read_label(context->label_directory(one.sandbox) + "/label.json");
    if (!label && is_preserved(*context, one)) continue;
    if (!is_docker_sandbox_id(one.sandbox) || !label) {  // warm, half-built, or a probe
      auto removed = co_await remove_docker_container(*context, one.container);
      if (!removed) context->log.warn("docker: leftover: {}", removed.error().context);
      continue;
    }
    alive.insert(one.sandbox);
    DockerTarget stopped;
    stopped.container = one.container;
    auto target = co_await locate_docker_container(*context, one.container);
    auto sandbox = std::make_unique<DockerSandbox>(context, one.sandbox,
                                                   target ? std::move(*target) : stopped);
    if (one.state == "running" || one.state == "paused") {
      leftovers.push_back(Leftover{std::move(sandbox), std::move(*label), one.state == "paused"});
      continue;
    }
    if (label->ended.empty()) label->ended = base::to_iso8601(base::wall_now());
    auto kept = co_await sandbox->preserve(*label);
    if (kept) {
      context->log.info("docker: {} had ended while we were away; kept as {}", one.sandbox,
                        kept->reference);
    } else {
      context->log.error("docker: {} could not be kept: {}", one.sandbox, kept.error().context);
    }
  }
  drop_orphan_labels(*context, alive);
  co_return leftovers;
}

Task<base::Status> DockerEngine::remove_preserved(const std::string& reference) {
  const auto context = context_;
  // "sandtrap-preserved-<id>", "sandtrap-preserved:<id>" or ".../preserved/<id>"
  const std::string id = reference.substr(reference.find_last_of("-:/") + 1);
  if (!is_docker_sandbox_id(id)) {
    co_return base::fail(base::Errc::kInvalid, reference + " is not a preserved sandbox");
  }
  const auto container = fmt::format("{}-{}", kDockerPreserved, id);
  if (auto removed = co_await remove_docker_container(*context, container); !removed) {
    co_return tl::unexpected(removed.error());
  }
  const std::string image = fmt::format("{}:{}", kDockerPreserved, id);
  auto gone = co_await context->api.send(
      "DELETE", "/images/" + net::percent_encode(image) + "?force=1", {}, std::chrono::seconds(60));
  if (!gone && gone.error().code != base::Errc::kNotFound) co_return tl::unexpected(gone.error());
  std::error_code error;
  const auto files = fs::remove_all(context->preserved_directory(id), error);
  if (!gone && files == 0) co_return tl::unexpected(gone.error());
  co_return base::Status{};
}

// The container is renamed and labelled as in use before it starts: a crash at any step leaves
// either what recover() takes for preserved, or what it puts back.
Task<base::Result<Leftover>> DockerEngine::restore(std::string reference, std::string id, Limits) {
  const auto context = context_;
  const std::string old = reference.substr(reference.find_last_of("-/") + 1);
  if (!is_docker_sandbox_id(old) || id != old) {
    co_return base::fail(base::Errc::kInvalid, reference + " is not the sandbox " + id);
  }
  const std::string name = fmt::format("{}-{}", kDockerPreserved, id);
  auto label = read_label(context->preserved_directory(id) + "/sandbox.json");
  if (!label) co_return base::wrap("restore " + id, label.error());
  auto info = co_await context->api.get_object("/containers/" + name + "/json", DockerApi::kQuick);
  if (!info) co_return base::wrap("restore " + id, info.error());
  const std::string container = docker_text(*info, "Id");
  const std::string directory = context->label_directory(id);
  auto written = co_await context->labels.write(directory, "label.json", *label);
  if (!written) {
    co_return base::wrap("restore " + id, written.error());
  }
  auto started = co_await context->api.post("/containers/" + container + "/start", {},
                                            context->options.start_timeout);
  base::Result<DockerTarget> target = tl::unexpected(base::Error{});
  if (started) target = co_await locate_docker_container(*context, container);
  if (!started || !target) {
    const base::Error why = started ? target.error() : started.error();
    (void)co_await context->api.post("/containers/" + container + "/kill", {}, DockerApi::kQuick);
    ::unlink((context->label_directory(id) + "/label.json").c_str());
    ::rmdir(context->label_directory(id).c_str());
    co_return base::wrap("restore " + id, why);
  }
  auto renamed = co_await context->api.post(
      "/containers/" + container + "/rename?name=sandtrap-" + id, {}, DockerApi::kQuick);
  if (!renamed) context->log.warn("docker: {} keeps its name {}", id, name);
  std::error_code error;
  fs::remove_all(context->preserved_directory(id), error);
  std::unique_ptr<Sandbox> sandbox =
      std::make_unique<DockerSandbox>(context, std::move(id), std::move(*target));
  co_return Leftover{std::move(sandbox), std::move(*label)};
}

}  // namespace sandtrap::sandbox
