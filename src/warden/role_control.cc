// What comes from the supervisor (new peers, drain, reload) and from the scribe (the event log).
#include <boost/asio/post.hpp>

#include "warden/role.h"

namespace sandtrap::warden {
namespace {

base::LogLevel level_of(const std::string& name) {
  if (name == "debug") return base::LogLevel::kDebug;
  if (name == "warn") return base::LogLevel::kWarn;
  if (name == "error") return base::LogLevel::kError;
  return base::LogLevel::kInfo;
}

}  // namespace

net::Task<void> Role::listen_to_supervisor() {
  for (;;) {
    auto packet = co_await control_.receive();
    if (!packet) break;
    if (!on_control(std::move(*packet))) break;
  }
  if (ending_) co_return;
  // Nobody is left who could restart anything: end as in an orderly stop, at once.
  log_.error("the supervisor is gone");
  begin_end(std::chrono::seconds(0));
}

bool Role::on_control(net::Packet packet) {
  if (const auto* drain = std::get_if<ipc::Drain>(&packet.message)) {
    begin_end(std::chrono::seconds(drain->grace_seconds));
    return true;
  }
  if (std::holds_alternative<ipc::Reload>(packet.message)) {
    reload(std::move(packet.descriptors));
    return true;
  }
  const auto* peer = std::get_if<ipc::PeerConnected>(&packet.message);
  if (peer == nullptr || packet.descriptors.size() != 1) {
    log_.error("the supervisor sent {}", ipc::name(packet.message));
    return false;
  }
  base::Fd socket = std::move(packet.descriptors.front());
  if (peer->role == "gate") {
    if (ending_) return true;
    if (serving_) {
      server_.add_gate(std::move(socket));
    } else {
      waiting_gates_.push_back(std::move(socket));
    }
  } else if (peer->role == "scribe") {
    if (scribe_) scribe_->close();
    scribe_ = std::make_shared<net::Channel>(loop_.get_executor(), std::move(socket));
    tasks_.spawn("scribe", listen_to_scribe(scribe_));
  }
  return true;
}

net::Task<void> Role::listen_to_scribe(std::shared_ptr<net::Channel> scribe) {
  if (!scribe->send(ipc::OpenEventLog{})) co_return;
  for (;;) {
    auto packet = co_await scribe->receive();
    // The descriptor stays good without the scribe; a new one will bring a new descriptor.
    if (!packet) co_return;
    const bool log = std::holds_alternative<ipc::EventLogOpened>(packet->message);
    if (log && packet->descriptors.size() == 1) {
      events_.attach(std::move(packet->descriptors.front()));
    }
  }
}

void Role::flush_events() {
  const base::Status written = events_.flush();
  if (written) {
    events_failed_ = false;
    return;
  }
  if (!std::exchange(events_failed_, true)) log_.error("events: {}", written.error().context);
  flush_retry_.expires_after(std::chrono::seconds(1));
  flush_retry_.async_wait([this](boost::system::error_code aborted) {
    if (!aborted) flush_events();
  });
}

void Role::reload(std::vector<base::Fd> descriptors) {
  ipc::ReloadResult result;
  const auto text = descriptors.size() == 1
                        ? read_settings_text(descriptors.front())
                        : base::Result<std::string>(base::fail(base::Errc::kInvalid, "no text"));
  if (!text) {
    log_.error("reload: {}", text.error().context);
    result.applied = "nothing: " + text.error().context;
  } else {
    const config::LoadResult loaded = config::load(*text, "settings");
    if (!loaded.problems.empty()) {
      result.applied = "nothing: " + config::to_string(loaded.problems.front());
    } else {
      const ReloadPlan plan = plan_reload(settings_, loaded.settings);
      apply(plan.settings);
      result.applied = join(plan.applied);
      result.needs_restart = join(plan.needs_restart);
    }
  }
  log_.info("reload: applied: {}; needs a restart: {}", result.applied, result.needs_restart);
  (void)control_.send(result);
}

void Role::apply(const config::Settings& settings) {
  const bool louder = settings.logging.level != settings_.logging.level;
  settings_ = settings;
  policy_.configure(settings.authentication);
  cases_.configure(table_settings(settings));
  pool_.configure(pool_settings(settings));
  preserved_.configure(settings.preservation);
  server_.configure(server_limits(settings));
  // Unchanged, it may still be another one: the command line can set it for one run.
  if (louder) log_.set_level(level_of(settings.logging.level));
}

}  // namespace sandtrap::warden
