#include "warden/role.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <csignal>

namespace sandtrap::warden {
namespace {

using Clock = std::chrono::steady_clock;

// An engine that takes longer to look through what is left serves new sessions first.
constexpr std::chrono::seconds kRecoveryPatience{5};
constexpr std::chrono::seconds kPutAway{25};  // the pool's own time at the end, after the grace
constexpr std::chrono::hours kRetentionInterval{1};
// Between two questions to an engine that is away.
constexpr std::chrono::milliseconds kFirstPause{500}, kLongestPause{8000};

}  // namespace

IpcServer::Limits Role::server_limits(const config::Settings& settings) {
  IpcServer::Limits limits;
  limits.max_auth_tries = settings.authentication.max_auth_tries;
  limits.max_channels = settings.server.max_sessions;
  // Every gate keeps its own count of connections.
  limits.max_sessions = std::size_t{settings.server.max_connections} * settings.server.gates * 2;
  limits.exec_timeout = settings.container_pool.claim_timeout;
  limits.ipv6_prefix = settings.cases.ipv6_prefix;
  return limits;
}

Role::Role(const config::Settings& settings, net::asio::io_context& loop, sandbox::Engine& engine,
           HostKeys keys, base::Fd control, base::Log& log)
    : settings_(settings),
      loop_(loop),
      engine_(engine),
      log_(log),
      events_(settings.logging.sensor),
      keys_(std::move(keys)),
      control_(loop.get_executor(), std::move(control)),
      policy_(settings.authentication, keys_.policy_secret()),
      cases_(table_settings(settings), entropy_),
      pool_(loop.get_executor(), engine, pool_settings(settings), cases_, events_, entropy_, log),
      accounts_(loop.get_executor(), pool_, entropy_, log),
      preserved_(loop.get_executor(), engine, settings.preservation, events_, log),
      bookkeeper_(loop.get_executor(), disk_, cases_, events_, log),
      commands_(pool_, cases_, preserved_),
      operator_(
          loop.get_executor(),
          [this](std::string request) { return commands_.handle(std::move(request)); }, log),
      server_(loop.get_executor(),
              IpcServer::Parts{keys_, policy_, cases_, pool_, accounts_, events_, log},
              server_limits(settings)),
      tasks_(loop.get_executor(), log),
      signals_(loop),
      flush_retry_(loop),
      retention_timer_(loop),
      grace_timer_(loop) {}

Role::~Role() {
  disk_.join();  // a save under way knows the loop and the bookkeeper
}

void Role::start() {
  events_.on_pending([this] { net::asio::post(loop_, [this] { flush_events(); }); });
  pool_.on_ready([this] { ready(); });
  pool_.on_preserved([this](const sandbox::Label& label, const sandbox::Preserved& kept) {
    preserved_.add(Kept{kept.reference, label.sandbox, base::wall_now(), kept.bytes, label.case_id,
                        label.source_ip});
  });
  pool_.on_restoring([this](const std::string& reference) { preserved_.forget(reference); });
  preserved_.on_removed([this](const std::string& reference) { cases_.lost(reference); });
  server_.on_idle([this] { grace_timer_.cancel(); });
  server_.on_denied([this] { (void)control_.send(ipc::GateDenied{}); });
  remember();
  if (auto listening = operator_.listen(settings_.run_dir); !listening) {
    log_.error("{}", listening.error().context);
  }
  swallow_signals();
  tasks_.spawn("supervisor", listen_to_supervisor());
  tasks_.spawn("prepare engine", prepare());
}

// Ctrl-C reaches the whole process group, but how to end is the supervisor's word. Handlers, not
// SIG_IGN: an ignored signal would be inherited by the runtime and by every sandbox.
void Role::swallow_signals() {
  boost::system::error_code ignored;
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) signals_.add(number, ignored);
  signals_.async_wait([this](boost::system::error_code error, int number) {
    if (error) return;
    if (number == SIGTERM) begin_end(settings_.server.drain_grace);
    swallow_signals();
  });
}

void Role::fail(const std::string& what) {
  log_.error("{}", what);
  (void)events_.emit({}, event::ErrorRaised{"warden", what});
  exit_code_ = 1;
  flush_events();
  loop_.stop();
}

// An engine that is away is waited for: sessions are served meanwhile, their programs refused.
net::Task<base::Result<sandbox::Capabilities>> Role::prepare_engine() {
  net::asio::steady_timer timer(loop_);
  for (auto pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    auto capabilities = co_await engine_.prepare();
    const bool away = !capabilities && (capabilities.error().code == base::Errc::kUnavailable ||
                                        capabilities.error().code == base::Errc::kTimeout);
    if (!away || ending_) co_return capabilities;
    const std::string what =
        "engine " + settings_.container_pool.engine + ": " + capabilities.error().context;
    log_.warn("{}; trying again", what);
    if (pause == kFirstPause) (void)events_.emit({}, event::ErrorRaised{"warden", what});
    serve_gates();
    timer.expires_after(pause);
    co_await timer.async_wait(net::use_ec);
  }
}

net::Task<void> Role::prepare() {
  net::asio::steady_timer patience(loop_, kRecoveryPatience);
  patience.async_wait([this](boost::system::error_code aborted) {
    if (!aborted) serve_gates();
  });
  const auto capabilities = co_await prepare_engine();
  if (ending_) co_return;
  if (!capabilities) {
    fail("engine " + settings_.container_pool.engine + ": " + capabilities.error().context);
    co_return;
  }
  log_.info("engine {} {}, runtime {}", capabilities->engine, capabilities->version,
            capabilities->runtime);
  for (const std::string& note : capabilities->notes) log_.info("engine: {}", note);

  std::vector<sandbox::Leftover> leftovers = co_await engine_.recover();
  if (ending_) co_return;  // what is running now is found again at the next start
  const std::vector<Kept> kept = co_await scan();
  if (ending_) co_return;
  reconcile(leftovers, kept);
  preserved_.add(kept);
  pool_.open(std::move(leftovers));
  server_.resume_sandboxes();
  patience.cancel();
  serve_gates();
  look_after_preserved();
}

void Role::serve_gates() {
  if (std::exchange(serving_, true)) return;
  for (base::Fd& socket : waiting_gates_) server_.add_gate(std::move(socket));
  waiting_gates_.clear();
}

void Role::ready() {
  if (ending_) return;
  const ipc::RoleReady message{settings_.container_pool.engine + " sandboxes"};
  if (!control_.send(message)) log_.warn("the supervisor does not listen");
}

void Role::look_after_preserved() {
  retention_timer_.expires_after(kRetentionInterval);
  retention_timer_.async_wait([this](boost::system::error_code aborted) {
    if (aborted) return;
    preserved_.sweep();
    look_after_preserved();
  });
}

// A second order only shortens the grace.
void Role::begin_end(std::chrono::seconds grace) {
  if (!std::exchange(ending_, true)) {
    tasks_.spawn("end", end(grace));
  } else if (grace.count() == 0) {
    grace_timer_.cancel();
  }
}

// Their sandboxes are gone, so they end by themselves; each must have let go of its sandbox before
// the engine does.
net::Task<void> Role::see_programs_off() {
  net::asio::steady_timer pause(loop_);
  for (int i = 0; i < 100 && server_.programs() > 0; ++i) {
    pause.expires_after(std::chrono::milliseconds(10));
    co_await pause.async_wait(net::use_ec);
  }
}

net::Task<void> Role::end(std::chrono::seconds grace) {
  log_.info("draining: {} sessions, {} sandboxes", server_.sessions(), pool_.total());
  if (server_.sessions() > 0 && grace.count() > 0) {
    grace_timer_.expires_after(grace);
    co_await grace_timer_.async_wait(net::use_ec);
  }
  server_.end_sessions("server is shutting down");
  const bool empty = co_await pool_.drain(Clock::now() + kPutAway);
  if (!empty) {
    log_.error("{} sandboxes could not be put away in time; the next start will", pool_.total());
    exit_code_ = 1;
  }
  co_await see_programs_off();
  server_.close_gates();
  operator_.close();
  retention_timer_.cancel();
  signals_.cancel();
  flush_events();
  (void)control_.send(ipc::RoleDrained{});  // if nobody is there, nobody waits for it
  disk_.join();
  bookkeeper_.finish();
  loop_.stop();
}

}  // namespace sandtrap::warden
