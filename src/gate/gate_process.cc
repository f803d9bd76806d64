#include "gate/gate_process.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "gate/moduli_file.h"
#include "gate/persona.h"
#include "gate/warm_up.h"
#include "net/task.h"

namespace sandtrap::gate {
namespace {

using base::Errc;
using base::Status;

constexpr std::size_t kScratch = 64 * 1024;
constexpr int kBacklog = 1024;
// The warden may have an image to find and a pool to fill before it greets us.
constexpr std::chrono::seconds kStartPatience{120};

std::uint64_t descriptors_for(const config::Settings& settings) {
  // A socket each, and room for the programs of a part of them; what is missing shows as EMFILE.
  const std::uint64_t wanted = std::uint64_t{settings.server.max_connections} * 3 + 2048;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  // Root may raise its limit, up to the kernel's maximum per process.
  const std::uint64_t ceiling = std::max<std::uint64_t>(limit.rlim_max, 1 << 20);
  return std::min(wanted, ceiling);
}

config::Settings with_sensor(config::Settings settings) {
  if (!settings.logging.sensor.empty()) return settings;
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  settings.logging.sensor = host;
  return settings;
}

}  // namespace

GateProcess::GateProcess(boost::asio::io_context& loop, config::Settings settings, base::Fd control,
                         base::Log& log)
    : loop_(loop),
      settings_(with_sensor(std::move(settings))),
      log_(log),
      scratch_(kScratch),
      control_(loop.get_executor(), std::move(control)),
      warden_(loop.get_executor(), "warden", log),
      scribe_(loop.get_executor(), "scribe", log),
      events_(loop.get_executor(), settings_.logging.sensor, log),
      services_{loop.get_executor(), settings_, log, entropy_, events_, warden_, scribe_, scratch_},
      sessions_(services_),
      listener_(loop.get_executor(), log,
                [this](Connection connection) { sessions_.accept(std::move(connection)); }),
      start_deadline_(loop),
      grace_(loop) {
  events_.on_backlog([this](bool stuck) {
    stuck ? listener_.pause(Listener::kEventsStuck) : listener_.resume(Listener::kEventsStuck);
  });
  sessions_.on_empty([this] {
    if (draining_) grace_.cancel();
  });
}

boost::asio::awaitable<int> GateProcess::run() {
  start_deadline_.expires_after(kStartPatience);
  start_deadline_.async_wait([this](boost::system::error_code error) {
    if (error || confined_) return;
    log_.error("the other roles did not answer within {} s", kStartPatience.count());
    control_.close();
    warden_.close();
    scribe_.close();
  });
  const Status met = co_await meet();
  start_deadline_.cancel();
  if (!met) {
    if (met.error().code == Errc::kClosed) co_return draining_ ? 0 : 1;
    log_.error("start: {}", met.error().context);
    co_return 1;
  }
  read_warden();
  read_scribe();
  if (!control_.send(ipc::RoleReady{})) log_.warn("the supervisor is gone");
  co_await follow_control();
  if (!draining_) end_now();
  co_return 0;
}

boost::asio::awaitable<Status> GateProcess::meet() {
  if (auto ok = co_await meet_peers(); !ok) co_return ok;
  if (auto ok = co_await take_event_log(); !ok) co_return ok;
  if (auto ok = co_await take_welcome(); !ok) co_return ok;
  co_return Status{};
}

boost::asio::awaitable<Status> GateProcess::meet_peers() {
  while (!warden_.connected() || !scribe_.connected()) {
    auto packet = co_await control_.receive();
    if (!packet) co_return tl::unexpected(packet.error());
    if (const auto* peer = std::get_if<ipc::PeerConnected>(&packet->message)) {
      connect(*peer, std::move(packet->descriptors));
    } else if (std::holds_alternative<ipc::ListeningSockets>(packet->message)) {
      listening_ = std::move(packet->descriptors);
    } else if (std::holds_alternative<ipc::Drain>(packet->message)) {
      draining_ = true;
      static_cast<void>(control_.send(ipc::RoleDrained{}));
      co_return base::fail(Errc::kClosed, "drained before the start");
    } else {
      log_.warn("unexpected {} from the supervisor", ipc::name(packet->message));
    }
  }
  co_return Status{};
}

boost::asio::awaitable<Status> GateProcess::take_event_log() {
  scribe_.greeted();
  if (!scribe_.send(ipc::OpenEventLog{})) co_return base::fail(Errc::kUnavailable, "no scribe");
  auto packet = co_await scribe_.receive();
  if (!packet) co_return base::wrap("scribe", packet.error());
  if (!std::holds_alternative<ipc::EventLogOpened>(packet->message) ||
      packet->descriptors.size() != 1) {
    co_return base::fail(Errc::kInvalid, "the scribe did not open the event log");
  }
  events_.attach(std::move(packet->descriptors.front()));
  co_return Status{};
}

// The order is the point: greeted, warmed up, locked in, and only then the first accept.
boost::asio::awaitable<Status> GateProcess::take_welcome() {
  auto packet = co_await warden_.receive();
  if (!packet) co_return base::wrap("warden", packet.error());
  auto* message = std::get_if<ipc::Welcome>(&packet->message);
  if (message == nullptr) co_return base::fail(Errc::kInvalid, "the warden did not greet");
  take_moduli();
  warm_up(persona_for(settings_, *message, moduli_), entropy_);
  if (auto ok = listen_all(); !ok) co_return ok;
  if (auto ok = lock_in(); !ok) co_return ok;
  co_return welcome(std::move(*message));
}

void GateProcess::take_moduli() {
  auto moduli = read_moduli(settings_.server.moduli_file);
  if (moduli) {
    moduli_ = std::move(*moduli);
  } else {
    log_.info("group exchange uses fixed groups: {}", moduli.error().context);
  }
}

// Only now, so that nobody is let in before there is something to be let into.
Status GateProcess::listen_all() {
  if (listening_.empty()) return base::fail(Errc::kInvalid, "no listening socket was brought");
  for (const base::Fd& socket : listening_) {
    if (::listen(socket.get(), kBacklog) != 0) return base::fail_errno("listen", errno);
  }
  return {};
}

Status GateProcess::lock_in() {
  auto identity = resolve_user(settings_.server.gate_user);
  if (!identity) return tl::unexpected(identity.error());
  ConfinementPlan plan;
  plan.identity = *identity;
  plan.run_dir = settings_.run_dir;
  plan.max_descriptors = descriptors_for(settings_);
  auto report = confine(plan);
  if (!report) return base::wrap("confinement", report.error());
  for (const std::string& wall : report->missing) log_.warn("this host permits no {}", wall);
  confined_ = true;
  return {};
}

boost::asio::awaitable<void> GateProcess::follow_control() {
  for (;;) {
    auto packet = co_await control_.receive();
    if (!packet) {
      if (!draining_) log_.warn("the supervisor is gone: {}", packet.error().context);
      co_return;
    }
    if (const auto* peer = std::get_if<ipc::PeerConnected>(&packet->message)) {
      connect(*peer, std::move(packet->descriptors));
      if (peer->role == "warden") read_warden();
      if (peer->role == "scribe") read_scribe();
    } else if (const auto* order = std::get_if<ipc::Drain>(&packet->message)) {
      drain(std::chrono::seconds(order->grace_seconds));
    } else if (std::holds_alternative<ipc::Reload>(packet->message)) {
      auto [applied, restart] = reload(std::move(packet->descriptors));
      static_cast<void>(control_.send(ipc::ReloadResult{std::move(applied), std::move(restart)}));
    } else {
      log_.warn("unexpected {} from the supervisor", ipc::name(packet->message));
    }
  }
}

// A second order shortens the grace.
void GateProcess::drain(std::chrono::seconds grace) {
  draining_ = true;
  listener_.pause(Listener::kDraining);
  listener_.close();
  log_.info("draining {} sessions within {} s", sessions_.size(), grace.count());
  if (sessions_.empty()) grace = std::chrono::seconds(0);
  grace_.expires_after(grace);
  // Time is up, or on_empty() has cancelled the wait: then the last session's callback is over.
  grace_.async_wait([this](boost::system::error_code) {
    if (sessions_.empty() || grace_.expiry() <= std::chrono::steady_clock::now()) end_now();
  });
}

// Ends follow_control(), and with it the process.
void GateProcess::end_now() {
  listener_.close();
  sessions_.end_all("server shut down");
  sessions_.log_refusals();
  events_.flush();
  static_cast<void>(control_.send(ipc::RoleDrained{}));
  control_.close();
}

}  // namespace sandtrap::gate
