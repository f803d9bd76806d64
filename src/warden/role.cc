#include "warden/role.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <csignal>
#include <map>
#include <set>

#include "warden/login_memory.h"

namespace sandtrap::warden {
namespace {

using Clock = std::chrono::steady_clock;

// An engine that takes longer to look through what is left serves new sessions first.
constexpr std::chrono::seconds kRecoveryPatience{5};
constexpr std::chrono::seconds kPutAway{25};  // the pool's own time at the end, after the grace
constexpr std::chrono::hours kRetentionInterval{1};

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

net::Task<void> Role::prepare() {
  net::asio::steady_timer patience(loop_, kRecoveryPatience);
  patience.async_wait([this](boost::system::error_code aborted) {
    if (!aborted) serve_gates();
  });
  const auto capabilities = co_await engine_.prepare();
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

// What an earlier run knew, and from here on what this one learns.
void Role::remember() {
  std::vector<SavedRecord> records;
  bookkeeper_.on_memory([&](const std::string& key, const std::string& value) {
    auto record = record_from_text(key, value);
    if (record) records.push_back(std::move(*record));
  });
  bookkeeper_.open(settings_.data_dir);
  bookkeeper_.on_memory(nullptr);
  policy_.records().load(records, {base::monotonic_now(), base::wall_now()});
  server_.on_remembered([this](const std::string& record) {
    const auto saved = policy_.records().save(record, {base::monotonic_now(), base::wall_now()});
    bookkeeper_.memory_changed(record, saved ? std::optional(to_text(*saved)) : std::nullopt);
  });
}

// What lies in the folder of what is preserved; looked through on the disk thread.
net::Task<std::vector<Kept>> Role::scan() {
  std::vector<Kept> found;
  bool done = false;
  Signal finished(loop_.get_executor());
  net::asio::post(disk_, [&, folder = settings_.data_dir + "/preserved"] {
    auto result = scan_preserved(folder);
    net::asio::post(loop_, [&, result = std::move(result)]() mutable {
      found = std::move(result);
      done = true;
      finished.notify();
    });
  });
  while (!done) co_await finished.wait();
  co_return found;
}

// The casebook says what was, the engine and the folder what is.
void Role::reconcile(const std::vector<sandbox::Leftover>& leftovers,
                     const std::vector<Kept>& kept) {
  std::map<std::string, const Kept*> newest;
  for (const Kept& one : kept) {
    if (one.case_id.empty()) continue;
    const Kept*& best = newest[one.case_id];
    if (best == nullptr || best->ended.micros < one.ended.micros) best = &one;
  }
  std::set<std::string> alive;
  for (const sandbox::Leftover& one : leftovers) {
    adopt_case(one.label.case_id, one.label.source_ip);
    alive.insert(one.label.case_id);
  }
  for (const auto& [id, one] : newest) {
    adopt_case(id, one->source_ip);
    const cases::Case* known = cases_.find(id);
    if (known == nullptr || alive.contains(id)) continue;
    const bool same = known->sandbox.id == one->sandbox &&
                      known->sandbox.state == cases::SandboxState::kPreserved;
    const std::uint64_t bytes = same ? std::max(known->sandbox.bytes, one->bytes) : one->bytes;
    cases_.note(id, {one->sandbox, cases::SandboxState::kPreserved, one->reference, bytes});
  }
  for (const std::string& id : cases_.ids()) {
    const bool there = alive.contains(id) || newest.contains(id);
    if (!there && cases_.find(id)->sandbox.state != cases::SandboxState::kNone) {
      log_.warn("case {}: its sandbox {} is gone", id, cases_.find(id)->sandbox.id);
      cases_.note(id, {});
    }
  }
}

// A case that only its sandbox's label remembers.
void Role::adopt_case(const std::string& id, const std::string& source_ip) {
  const std::string source = case_source(source_ip, settings_.cases.ipv6_prefix);
  if (id.empty() || source.empty() || cases_.find(id) != nullptr) return;
  cases::Case value;
  value.id = id;
  value.created = value.last_seen = base::wall_now();
  value.source_ip = source_ip;
  value.keys = {{cases::KeyKind::kSource, source}};
  value.established = true;
  cases_.adopt(std::move(value));
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
  sweep_later();
}

void Role::sweep_later() {
  retention_timer_.expires_after(kRetentionInterval);
  retention_timer_.async_wait([this](boost::system::error_code aborted) {
    if (aborted) return;
    preserved_.sweep();
    sweep_later();
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
