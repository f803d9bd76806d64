#include "sandbox/docker_sandbox.h"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "net/task.h"
#include "sandbox/cpu_burst.h"
#include "sandbox/docker_profile.h"
#include "sandbox/label.h"

namespace sandtrap::sandbox {
namespace json = boost::json;
namespace {

constexpr std::chrono::seconds kRemoveDeadline{60}, kSizeDeadline{60}, kPauseDeadline{10};

// Docker mounts files of the container's own folder over /etc/hosts and the like: their path names
// the container, which no foreign process's mount table does.
bool is_process_of(pid_t pid, const std::string& container) {
  if (pid <= 0 || container.size() < 64) return false;
  std::ifstream file(fmt::format("/proc/{}/mountinfo", pid));
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  return text.find(container) != std::string::npos;
}

void remove_label(const DockerContext& context, const std::string& id) {
  const std::string directory = context.label_directory(id);
  ::unlink((directory + "/label.json").c_str());
  ::rmdir(directory.c_str());
}

}  // namespace

Task<base::Result<DockerTarget>> locate_docker_container(DockerContext& context,
                                                         std::string container) {
  std::string path = "/containers/" + container + "/json";
  auto info = co_await context.api.get_object(std::move(path), DockerApi::kQuick);
  if (!info) co_return tl::unexpected(info.error());
  const json::object* state = docker_member(*info, "State");
  DockerTarget target;
  target.container = docker_text(*info, "Id");
  const auto pid = state != nullptr ? static_cast<pid_t>(docker_number(*state, "Pid")) : 0;
  target.pid = pid;
  target.pids_visible = is_process_of(pid, target.container);
  if (target.pids_visible) {
    // Everybody who looks for a container looks for this file; nothing else needs it.
    ::unlink(fmt::format("/proc/{}/root/.dockerenv", pid).c_str());
    if (auto allowed = allow_cpu_burst(pid); !allowed)
      context.log.debug("docker: no burst: {}", allowed.error().context);
  }
  co_return target;
}

bool is_docker_sandbox_id(std::string_view id) {
  return id.size() == 12 && id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Task<base::Status> remove_docker_container(DockerContext& context, std::string container) {
  std::string path = "/containers/" + container + "?force=1&v=1";
  auto gone = co_await context.api.send("DELETE", std::move(path), {}, kRemoveDeadline);
  if (!gone && gone.error().code != base::Errc::kNotFound) co_return tl::unexpected(gone.error());
  co_return base::Status{};
}

DockerSandbox::DockerSandbox(std::shared_ptr<DockerContext> context, std::string id,
                             DockerTarget target)
    : context_(std::move(context)), id_(std::move(id)), target_(std::move(target)) {}

Task<base::Result<std::unique_ptr<Process>>> DockerSandbox::exec(const ProcessSpec& spec) {
  if (const auto agent = agent_; agent && agent->usable()) {
    auto started = co_await agent->start(spec);
    if (started || !may_exec_instead(started.error())) co_return started;
    context_->log.info("sandbox {}: {}; the engine starts the program", id_,
                       started.error().context);
  }
  co_return co_await start_docker_process(context_, target_, spec);
}

Task<void> DockerSandbox::attach_agent() {
  if (!target_.pids_visible) co_return;
  auto socket = co_await fetch_agent_socket(target_.pid);
  auto devices = find_devices(target_.pid);
  if (socket && devices) {
    agent_ = std::make_shared<Agent>(std::move(*socket), std::move(*devices),
                                     context_->options.agent_timeout);
    co_return;
  }
  context_->log.info("sandbox {}: no agent: {}", id_,
                     socket ? devices.error().context : socket.error().context);
}

Task<base::Status> DockerSandbox::verify() {
  return verify_by_exec(*this, context_->options.verify_timeout);
}

Task<base::Status> DockerSandbox::mark_claimed(const Label& label) {
  const auto context = context_;
  co_return co_await context->labels.write(context->label_directory(id_), "label.json", label);
}

Task<base::Result<Preserved>> DockerSandbox::preserve(const Label& given) {
  const auto context = context_;
  const Label label = given;
  auto killed =
      co_await context->api.post("/containers/" + target_.container + "/kill", {}, kRemoveDeadline);
  const bool stopped = killed || killed.error().code == base::Errc::kExists;  // it was not running
  if (!stopped) co_return base::wrap("preserve", killed.error());
  // A kill is only an order; what starts again before it has died would be the old one.
  auto ended = co_await context->api.post(
      "/containers/" + target_.container + "/wait?condition=not-running", {}, kRemoveDeadline);
  if (!ended) co_return base::wrap("preserve", ended.error());

  // Its own container stays, stopped: started again it has its own disk, however often.
  Preserved kept;
  kept.reference = fmt::format("{}-{}", kDockerPreserved, id_);
  const std::string directory = context->preserved_directory(id_);
  if (auto written = co_await context->labels.write(directory, "sandbox.json", label); !written) {
    co_return base::wrap("preserve", written.error());
  }
  std::ofstream(directory + "/reference") << kept.reference << '\n';
  auto renamed = co_await context->api.post(
      "/containers/" + target_.container + "/rename?name=" + kept.reference, {}, DockerApi::kQuick);
  if (!renamed) co_return base::wrap("preserve", renamed.error());
  auto info = co_await context->api.get_object("/containers/" + target_.container + "/json?size=1",
                                               kSizeDeadline);
  if (info) kept.bytes = static_cast<std::uint64_t>(docker_number(*info, "SizeRw"));
  remove_label(*context, id_);
  co_return kept;
}

Task<base::Status> DockerSandbox::freeze() {
  const auto context = context_;
  auto paused =
      co_await context->api.post("/containers/" + target_.container + "/pause", {}, kPauseDeadline);
  // kExists: it is paused already, or not running; the latter shows at the next use.
  if (!paused && paused.error().code != base::Errc::kExists)
    co_return base::wrap("freeze", paused.error());
  co_return base::Status{};
}

Task<base::Status> DockerSandbox::thaw() {
  const auto context = context_;
  auto gone = co_await context->api.post("/containers/" + target_.container + "/unpause", {},
                                         kPauseDeadline);
  if (gone) co_return base::Status{};
  // Not paused: fine if it runs. After a restart of the engine it does not.
  auto info = co_await context->api.get_object("/containers/" + target_.container + "/json",
                                               DockerApi::kQuick);
  if (!info) co_return base::wrap("thaw", info.error());
  const json::object* state = docker_member(*info, "State");
  const std::string status = state != nullptr ? docker_text(*state, "Status") : "";
  if (status == "running") co_return base::Status{};
  co_return base::fail(base::Errc::kUnavailable, "thaw: the container is " + status);
}

Task<base::Result<std::uint64_t>> DockerSandbox::memory() {
  const auto context = context_;
  auto stats = co_await context->api.get_object(
      "/containers/" + target_.container + "/stats?stream=false&one-shot=true", kPauseDeadline);
  if (!stats) co_return tl::unexpected(stats.error());
  const json::object* memory = docker_member(*stats, "memory_stats");
  if (memory == nullptr) co_return base::fail(base::Errc::kNotFound, "docker: no memory figures");
  co_return static_cast<std::uint64_t>(docker_number(*memory, "usage"));
}

Task<void> DockerSandbox::destroy() {
  const auto context = context_;
  if (auto removed = co_await remove_docker_container(*context, target_.container); !removed) {
    context->log.warn("docker: {} could not be removed: {}", id_, removed.error().context);
    co_return;  // its label stays: recover() finds both
  }
  remove_label(*context, id_);
}

}  // namespace sandtrap::sandbox
