#include "sandbox/docker_sandbox.h"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "net/task.h"
#include "sandbox/docker_profile.h"
#include "sandbox/label.h"

namespace sandtrap::sandbox {
namespace json = boost::json;
namespace {

constexpr std::chrono::seconds kRemoveDeadline{60}, kCommitDeadline{300};

// Docker mounts files of the container's own folder over /etc/hosts and the like: their path names
// the container, which no foreign process's mount table does.
bool is_process_of(pid_t pid, const std::string& container) {
  if (pid <= 0 || container.size() < 64) return false;
  std::ifstream file(fmt::format("/proc/{}/mountinfo", pid));
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  return text.find(container) != std::string::npos;
}

json::array texts(const std::vector<std::string>& values) {
  json::array out;
  for (const std::string& value : values) out.emplace_back(value);
  return out;
}

std::string commit_body(const Label& label) {
  json::object labels;
  labels["sandtrap.preserved"] = label.sandbox;
  labels["sandtrap.case"] = label.case_id;
  labels["sandtrap.source_ip"] = label.source_ip;
  labels["sandtrap.created"] = label.created;
  labels["sandtrap.claimed"] = label.claimed;
  labels["sandtrap.ended"] = label.ended;
  labels["sandtrap.sessions"] = json::serialize(texts(label.sessions));
  labels["sandtrap.recordings"] = json::serialize(texts(label.recordings));
  json::object body;
  body["Labels"] = std::move(labels);
  return json::serialize(body);
}

void remove_label(const DockerContext& context, const std::string& id) {
  const std::string directory = context.label_directory(id);
  ::unlink((directory + "/label.json").c_str());
  ::rmdir(directory.c_str());
}

Task<base::Status> run_true(DockerSandbox& sandbox) {
  ProcessSpec spec;
  spec.kind = ProcessKind::kExec;
  spec.command = "exec /bin/true";
  auto process = co_await sandbox.exec(spec);
  if (!process) co_return base::wrap("verify", process.error());
  const auto streams = (*process)->take_streams();
  const ExitResult result = co_await (*process)->wait();
  if (result.kind == ExitResult::Kind::kStatus && result.value == 0) co_return base::Status{};
  co_return base::fail(base::Errc::kUnavailable,
                       fmt::format("verify: /bin/true ended with {}", result.value));
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
  target.pids_visible = is_process_of(pid, target.container);
  if (target.pids_visible) {
    // Everybody who looks for a container looks for this file; nothing else needs it.
    ::unlink(fmt::format("/proc/{}/root/.dockerenv", pid).c_str());
  }
  co_return target;
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
  return start_docker_process(context_, target_, spec);
}

Task<base::Status> DockerSandbox::verify() {
  using namespace boost::asio::experimental::awaitable_operators;
  boost::asio::steady_timer timer(context_->executor, context_->options.verify_timeout);
  auto result = co_await (run_true(*this) || timer.async_wait(net::use_ec));
  if (result.index() == 1) {
    co_return base::fail(base::Errc::kTimeout, "verify: no answer from inside the sandbox");
  }
  co_return std::move(std::get<0>(result));
}

Task<base::Status> DockerSandbox::mark_claimed(const Label& label) {
  co_return write_label(context_->label_directory(id_), "label.json", label);
}

Task<base::Result<Preserved>> DockerSandbox::preserve(const Label& given) {
  const auto context = context_;
  const Label label = given;
  auto killed =
      co_await context->api.post("/containers/" + target_.container + "/kill", {}, kRemoveDeadline);
  const bool stopped = killed || killed.error().code == base::Errc::kExists;  // it was not running
  if (!stopped) co_return base::wrap("preserve", killed.error());

  Preserved kept;
  kept.reference = fmt::format("{}:{}", kDockerPreservedRepository, id_);
  auto info = co_await context->api.get_object("/containers/" + target_.container + "/json?size=1",
                                               kCommitDeadline);
  if (info) kept.bytes = static_cast<std::uint64_t>(docker_number(*info, "SizeRw"));
  std::string path = fmt::format("/commit?container={}&repo={}&tag={}&pause=false",
                                 target_.container, kDockerPreservedRepository, id_);
  auto committed = co_await context->api.post(std::move(path), commit_body(label), kCommitDeadline);
  if (!committed) co_return base::wrap("preserve", committed.error());

  const std::string directory = context->preserved_directory(id_);
  if (auto written = write_label(directory, "sandbox.json", label); !written) {
    co_return base::wrap("preserve", written.error());
  }
  std::ofstream(directory + "/reference") << kept.reference << '\n';
  if (auto removed = co_await remove_docker_container(*context, target_.container); !removed) {
    context->log.warn("docker: {} is preserved, but its container stays: {}", id_,
                      removed.error().context);
  }
  remove_label(*context, id_);
  co_return kept;
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
