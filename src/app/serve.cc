// `sandtrap serve`: everything that must stand before the roles start, then the supervisor.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "app/configuration.h"
#include "app/folders.h"
#include "app/guest_fit.h"
#include "app/host_keys.h"
#include "app/listening.h"
#include "app/port_loan.h"
#include "app/reloading.h"
#include "app/serve.h"
#include "app/supervisor.h"
#include "config/document.h"
#include "config/persona.h"

namespace sandtrap::app {
namespace {

// The warden alone decides logins and talks to the engine: only it gets to see their settings.
std::string text_for(RoleKind role, const config::Settings& settings) {
  const bool all = role == RoleKind::kWarden;
  return config::dump(settings, all ? config::Audience::kEveryone : config::Audience::kGate);
}

std::string how_to_try(const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  std::string host = listen.substr(0, colon);
  if (host.front() == '[') host = host.substr(1, host.size() - 2);
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  return fmt::format("ssh -p {} root@{}", listen.substr(colon + 1), host);
}

void announce(const config::Settings& s, const std::string& detail, base::Log& log) {
  const auto& after = s.authentication.accept_after_failures;
  fmt::print(stderr, "sandtrap ready: listening on {}\n", fmt::join(s.server.listen, ", "));
  fmt::print(stderr, "  data folder  {} (events.jsonl, recordings/)\n", s.data_dir);
  fmt::print(stderr, "  sandboxes    engine {}, {} kept ready, at most {}\n",
             s.container_pool.engine, s.container_pool.size, s.container_pool.max_total);
  fmt::print(stderr, "  try it       {}{}\n", how_to_try(s.server.listen.front()),
             after ? fmt::format("   (any password, after {} wrong ones)", *after) : "");
  fmt::print(stderr, "  stop         Ctrl-C, or: kill {}\n", ::getpid());
  if (!detail.empty()) log.info("{}", detail);
}

std::vector<RoleKind> roles_to_start(const ServeOptions& options, const config::Settings& s) {
  std::vector<RoleKind> roles;
  for (const RoleKind kind : {RoleKind::kScribe, RoleKind::kWarden, RoleKind::kGate}) {
    if (options.role && *options.role != kind) continue;
    const std::size_t count = kind == RoleKind::kGate ? s.server.gates : 1;
    roles.insert(roles.end(), count, kind);
  }
  return roles;
}

base::Result<Locks> prepare(const config::Settings& s, const std::vector<RoleKind>& roles,
                            base::Log& log) {
  if (const auto made = make_folders(s, roles); !made) return tl::unexpected(made.error());
  auto locks = take_locks(s, roles, log);
  if (!locks || std::find(roles.begin(), roles.end(), RoleKind::kWarden) == roles.end()) {
    return locks;
  }
  const auto keys = make_host_keys(s.server.host_key_dir, KeyFiles::kKeepExisting,
                                   config::persona_of(s)->host_keys);
  if (!keys) return tl::unexpected(keys.error());
  for (const std::string& path : *keys) log.info("generated {}", path);
  return locks;
}

// Only who runs the gate opens ports; in containers that share run_dir, that is the one container
// with a network.
base::Result<Ports> listening_for(const std::vector<RoleKind>& roles,
                                  const config::Settings& settings, base::Log& log) {
  Ports ports;
  auto passed = passed_sockets();
  if (!passed) return tl::unexpected(passed.error());
  if (std::find(roles.begin(), roles.end(), RoleKind::kGate) == roles.end()) return ports;
  if (passed->empty()) {
    auto bound = bind_listening(settings.server.listen);
    if (!bound) return tl::unexpected(bound.error());
    ports.sockets = std::move(*bound);
    return ports;
  }
  log.info("listening on {} sockets of the service manager; server.listen is not used",
           passed->size());
  ports.sockets = std::move(*passed);
  return ports;
}

SupervisorPlan plan_for(const ServeOptions& options,
                        const std::shared_ptr<config::Settings>& settings, base::Log& log) {
  SupervisorPlan plan;
  plan.roles = roles_to_start(options, *settings);
  if (options.role) plan.link_folder = settings->run_dir;
  plan.settings_text = [settings](RoleKind role) { return text_for(role, *settings); };
  const auto reloading =
      std::make_shared<Reloading>(settings, configuration_file(options.config), log);
  plan.reload = [reloading] { return reloading->read(); };
  plan.settle = [reloading](bool good) { reloading->settle(good); };
  // Where the warden is another program's, so is the trial.
  if (!options.role || *options.role == RoleKind::kWarden) {
    plan.to_verify = [reloading] { return reloading->to_verify(); };
  }
  plan.on_ready = [settings, role = options.role, &log](const std::string& detail) {
    if (!role) return announce(*settings, detail, log);
    fmt::print(stderr, "sandtrap {} ready\n", name(*role));
  };
  plan.drain_grace = [settings] { return settings->server.drain_grace; };
  return plan;
}

}  // namespace

int serve(const ServeOptions& options) {
  auto loaded = read_configuration(options.config);
  if (!loaded) return kBadConfig;
  // Shared with the plan's closures: a reload replaces what they see.
  const auto settings = std::make_shared<config::Settings>(std::move(*loaded));
  if (::geteuid() != 0) {
    fmt::print(stderr,
               "sandtrap serve: must be started as root, to make sandboxes and to give up every "
               "privilege in the process that faces the internet (try sudo)\n");
    return kNoPermission;
  }
  base::Log log("sandtrap", log_level(*settings));
  for (const std::string& misfit : {persona_misfit(*settings), program_misfit(*settings)}) {
    if (!misfit.empty()) log.warn("{}", misfit);
  }
  SupervisorPlan plan = plan_for(options, settings, log);
  auto locks = prepare(*settings, plan.roles, log);
  if (!locks) {
    log.error("{}", locks.error().context);
    return kFailed;
  }
  plan.locks = std::move(locks->roles);
  auto ports = options.borrow_ports ? borrow_ports(settings->run_dir, log)
                                    : listening_for(plan.roles, *settings, log);
  if (!ports) {
    log.error("{}", ports.error().context);
    return kFailed;
  }
  plan.listening = std::move(ports->sockets);
  plan.lender = std::move(ports->lender);
  return Supervisor(std::move(plan), log).run();
}

}  // namespace sandtrap::app
