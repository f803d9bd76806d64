#include "sandbox/docker_exits.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json.hpp>
#include <charconv>

#include "net/task.h"
#include "sandbox/docker_profile.h"

namespace sandtrap::sandbox {
namespace json = boost::json;

struct DockerExits::State {
  State(const boost::asio::any_io_executor& executor, std::string socket, std::string of_instance,
        base::Log& to_log)
      : api(executor, std::move(socket)),
        instance(std::move(of_instance)),
        log(to_log),
        news(executor),
        stop(executor) {
    stop.expires_at(boost::asio::steady_timer::time_point::max());
  }

  DockerApi api;  // its own: negotiates again after each reconnect
  std::string instance;
  base::Log& log;
  std::unordered_map<std::string, std::weak_ptr<Slot>> slots;
  bool connected = false, stopped = false;
  std::optional<base::Error> failure;  // of the latest attempt
  boost::asio::steady_timer news;      // cancelled when `connected` or `failure` changes
  boost::asio::steady_timer stop;      // cancelled when our owner goes

  void wake_all() {
    for (auto& [id, weak] : slots) {
      if (const auto slot = weak.lock()) slot->changed.cancel();
    }
  }
  void take(std::string_view line) {
    const auto exit = docker_exit_of(line);
    if (!exit) return;
    const auto found = slots.find(exit->exec_id);
    if (found == slots.end()) return;
    if (const auto slot = found->second.lock()) {
      slot->code = exit->code;
      slot->changed.cancel();
    }
    slots.erase(found);
  }
};

namespace {

std::string events_path(const std::string& instance) {
  json::object filters;
  filters["type"] = json::array{"container"};
  filters["event"] = json::array{"exec_die"};
  filters["label"] = json::array{json::string(std::string(kDockerInstanceLabel) + "=" + instance)};
  return "/events?filters=" + net::percent_encode(json::serialize(filters));
}

Task<base::Status> read_events(std::shared_ptr<DockerExits::State> state) {
  auto good = co_await state->api.negotiate();
  if (!good) co_return good;
  net::HttpRequest request{"GET", state->api.versioned(events_path(state->instance))};
  const auto opened = [state] {
    state->connected = true;
    state->failure.reset();
    state->news.cancel();
    state->wake_all();
  };
  const auto on_line = [state](std::string_view line) { state->take(line); };
  co_return co_await state->api.http().lines(std::move(request), DockerApi::kQuick, opened,
                                             on_line);
}

Task<void> follow(std::shared_ptr<DockerExits::State> state) {
  boost::asio::steady_timer pause(state->news.get_executor());
  while (!state->stopped) {
    const auto ended = co_await read_events(state);
    if (state->stopped) break;
    if (state->connected) state->log.warn("docker: events ended ({})", ended.error().context);
    state->connected = false;
    state->failure = ended.error();
    state->news.cancel();
    state->wake_all();
    pause.expires_after(std::chrono::milliseconds(500));
    co_await pause.async_wait(net::use_ec);
  }
}

Task<void> follow_until_stopped(std::shared_ptr<DockerExits::State> state) {
  using namespace boost::asio::experimental::awaitable_operators;
  co_await (follow(state) || state->stop.async_wait(net::use_ec));
}

}  // namespace

std::optional<DockerExit> docker_exit_of(std::string_view line) {
  const auto event = docker_object(line);
  if (!event) return std::nullopt;
  if (docker_text(*event, "Action").rfind("exec_die", 0) != 0) return std::nullopt;
  const json::object* actor = docker_member(*event, "Actor");
  if (actor == nullptr) return std::nullopt;
  const json::object* attributes = docker_member(*actor, "Attributes");
  if (attributes == nullptr) return std::nullopt;
  DockerExit exit;
  exit.exec_id = docker_text(*attributes, "execID");
  const std::string code = docker_text(*attributes, "exitCode");
  const auto [end, error] = std::from_chars(code.data(), code.data() + code.size(), exit.code);
  if (exit.exec_id.empty() || error != std::errc() || end != code.data() + code.size()) {
    return std::nullopt;
  }
  return exit;
}

DockerExits::DockerExits(boost::asio::any_io_executor executor, std::string socket,
                         std::string instance, base::Log& log)
    : executor_(executor),
      state_(std::make_shared<State>(executor, std::move(socket), std::move(instance), log)) {}

DockerExits::~DockerExits() {
  state_->stopped = true;
  state_->wake_all();
  state_->stop.expires_at(boost::asio::steady_timer::time_point::min());
}

Task<base::Status> DockerExits::start() {
  const auto state = state_;
  state->failure.reset();
  if (!running_) {
    running_ = true;
    // Ends by `stop`; the state it holds is its own.
    boost::asio::co_spawn(executor_, follow_until_stopped(state), boost::asio::detached);
  }
  while (!state->connected && !state->failure) {
    state->news.expires_after(DockerApi::kQuick);
    const auto [error] = co_await state->news.async_wait(net::use_ec);
    if (!error) co_return base::fail(base::Errc::kTimeout, "docker: no answer to /events");
  }
  if (state->failure) co_return tl::unexpected(*state->failure);
  co_return base::Status{};
}

std::shared_ptr<DockerExits::Slot> DockerExits::expect(const std::string& exec_id) {
  auto slot = std::make_shared<Slot>(executor_);
  state_->slots[exec_id] = slot;
  return slot;
}

void DockerExits::forget(const std::string& exec_id) {
  state_->slots.erase(exec_id);
}

bool DockerExits::connected() const {
  return state_->connected;
}

}  // namespace sandtrap::sandbox
