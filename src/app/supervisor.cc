#include "app/supervisor.h"

#include <fcntl.h>
#include <sys/wait.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cerrno>
#include <csignal>

#include "app/launch.h"
#include "app/links.h"

namespace sandtrap::app {
namespace asio = boost::asio;

namespace {

constexpr int kHopeless = 78;  // EX_CONFIG of sysexits.h: a role's word for it

std::chrono::milliseconds milliseconds(base::Duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d);
}

}  // namespace

Supervisor::Supervisor(SupervisorPlan plan, base::Log& log)
    : plan_(std::move(plan)), log_(log), signals_(io_), lender_(io_), changed_(io_) {
  unsigned gates = 0;
  const auto all_gates = std::count(plan_.roles.begin(), plan_.roles.end(), RoleKind::kGate);
  for (const RoleKind kind : plan_.roles) {
    std::string label(name(kind));
    if (kind == RoleKind::kGate && all_gates > 1) label += " " + std::to_string(++gates);
    children_.push_back(std::make_unique<Child>(kind, std::move(label), io_));
  }
}

Supervisor::~Supervisor() = default;

int Supervisor::run() {
  survive_broken_pipes();
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) {
    boost::system::error_code error;
    signals_.add(number, error);
    if (error) {
      log_.error("cannot catch signal {}: {}", number, error.message());
      return 1;
    }
  }
  wait_for_signal();
  if (!plan_.link_folder.empty()) {
    links_ = std::make_unique<Links>(io_, plan_.link_folder, plan_.roles.front(), log_);
    if (const auto listening = links_->listen(); !listening) {
      log_.error("{}", listening.error().context);
      return 1;
    }
  }
  if (plan_.lender) watch_lender();
  for (auto& child : children_) start(*child);
  io_.run();
  return exit_code_;
}

void Supervisor::start(Child& child) {
  if (stopping_) return;
  child.started = base::monotonic_now();
  if (const auto started = start_process(child); !started) {
    log_.error("cannot start {}: {}", child.label, started.error().context);
    child.channel.reset();
    start_later(child, base::Duration(0));
    return;
  }
  log_.debug("{} started (pid {})", child.label, child.pid);
  connect_with_others(child);
  asio::co_spawn(io_, listen_to(child, child.channel), [this](std::exception_ptr error) {
    if (error) log_.error("a control channel failed unexpectedly");
  });
}

base::Status Supervisor::start_process(Child& child) {
  auto ends = net::channel_pair();
  if (!ends) return tl::unexpected(ends.error());
  const auto settings = text_in_memory(plan_.settings_text(child.kind));
  if (!settings) return tl::unexpected(settings.error());
  Launch what{plan_.program, plan_.arguments, ends->second.get(), settings->get(), -1};
  what.arguments.emplace_back(name(child.kind));
  const auto lock = plan_.locks.find(child.kind);
  if (lock != plan_.locks.end()) what.lock = lock->second.get();
  const auto pid = launch(what);
  if (!pid) return tl::unexpected(pid.error());
  child.pid = *pid;
  child.ready = false;
  child.reloading = false;
  child.channel = std::make_shared<net::Channel>(io_.get_executor(), std::move(ends->first));
  if (child.kind == RoleKind::kGate && !give_sockets(child)) kill(child);
  return {};
}

base::Status Supervisor::give_sockets(Child& gate) {
  std::vector<base::Fd> copies;
  for (const base::Fd& socket : plan_.listening) {
    copies.emplace_back(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
    if (!copies.back()) return base::fail_errno("copy of a listening socket", errno);
  }
  return gate.channel->send(ipc::ListeningSockets{}, std::move(copies));
}

// A fresh pair of sockets between this process and each living one of another kind. A role that
// had a connection to this role's former process replaces it by the new one.
void Supervisor::connect_with_others(Child& child) {
  if (links_ != nullptr) links_->started(child.channel);
  for (auto& other : children_) {
    if (other->kind == child.kind || other->pid < 0) continue;
    auto ends = net::channel_pair();
    if (!ends) {
      log_.error("cannot connect {} with {}: {}", child.label, other->label, ends.error().context);
      kill(child);  // it is started again, with another try to connect it
      return;
    }
    const auto give = [this](Child& to, RoleKind peer, base::Fd end) {
      std::vector<base::Fd> descriptors;
      descriptors.push_back(std::move(end));
      const auto sent =
          to.channel->send(ipc::PeerConnected{std::string(name(peer))}, std::move(descriptors));
      if (!sent) kill(to);
    };
    give(child, other->kind, std::move(ends->first));
    give(*other, child.kind, std::move(ends->second));
  }
}

// As process 1 of a container the supervisor also inherits orphans; they are reaped unseen.
void Supervisor::reap() {
  for (;;) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) return;
    if (pid == verifier_) {
      verified(status);
      continue;
    }
    const auto child = std::find_if(children_.begin(), children_.end(),
                                    [pid](const auto& c) { return c->pid == pid; });
    if (child != children_.end()) ended(**child, status);
  }
}

void Supervisor::ended(Child& child, int status) {
  const base::Duration lived = base::monotonic_now() - child.started;
  const bool expected = stopping_ && status == 0;
  if (expected) {
    log_.info("{} (pid {}) ended", child.label, child.pid);
  } else {
    log_.warn("{} (pid {}) died: {}", child.label, child.pid, describe_wait_status(status));
  }
  child.pid = -1;
  child.ended = base::monotonic_now();
  child.silent.cancel();
  if (links_ != nullptr) links_->ended(child.channel);
  child.channel->close();
  child.channel.reset();
  changed_.cancel();
  if (stopping_) return;
  if (!announced_ && WIFEXITED(status) && WEXITSTATUS(status) == kHopeless) {
    log_.error("{} says that trying again would not help", child.label);
    begin_stop(1);
    return;
  }
  start_later(child, lived);
}

void Supervisor::start_later(Child& child, base::Duration lived) {
  child.failures = std::exchange(child.ready, false) ? 0 : child.failures + 1;
  if (!announced_ && child.failures >= plan_.failures_at_start) {
    log_.error("{} ended {} times in a row before it was ready; its messages above say why",
               child.label, child.failures);
    begin_stop(1);
    return;
  }
  const base::Duration delay = child.backoff.next(lived);
  if (delay.count() > 0) {
    log_.info("{} is started again in {} ms", child.label, milliseconds(delay).count());
  }
  child.restart.expires_after(delay);
  child.restart.async_wait([this, &child](boost::system::error_code error) {
    if (!error && child.pid < 0) start(child);
  });
}

net::Task<void> Supervisor::listen_to(Child& child, std::shared_ptr<net::Channel> channel) {
  for (;;) {
    auto packet = co_await channel->receive();
    if (child.channel != channel) co_return;  // that process has ended
    if (!packet && packet.error().code == base::Errc::kClosed) {
      // It is ending; or it hangs, and then it is of no use.
      child.silent.expires_after(plan_.silent_bound);
      child.silent.async_wait([this, &child, channel](boost::system::error_code error) {
        if (!error && child.channel == channel) kill(child);
      });
      co_return;
    }
    if (!packet || !handle(child, packet->message)) {
      log_.error("{} (pid {}) sent {} to the supervisor; ending it", child.label, child.pid,
                 packet ? ipc::name(packet->message) : "an invalid message");
      kill(child);
      co_return;
    }
  }
}

bool Supervisor::handle(Child& child, const ipc::Message& message) {
  if (const auto* ready = std::get_if<ipc::RoleReady>(&message)) {
    if (child.ready) return false;
    role_ready(child, ready->detail);
    return true;
  }
  if (const auto* result = std::get_if<ipc::ReloadResult>(&message)) {
    if (!child.reloading) return false;
    child.reloading = false;
    if (!result->applied.empty()) log_.info("{} applied: {}", child.label, result->applied);
    if (!result->needs_restart.empty()) {
      log_.warn("{} needs a restart for: {}", child.label, result->needs_restart);
    }
    return true;
  }
  if (std::holds_alternative<ipc::GateDenied>(message) && child.kind != RoleKind::kGate) {
    replace_gates(child);
    return true;
  }
  return std::holds_alternative<ipc::RoleDrained>(message) && stopping_;
}

// Taken over or broken: without its link it is of no use, and nobody can tell here which it was.
void Supervisor::replace_gates(const Child& accuser) {
  for (const auto& child : children_) {
    if (child->kind != RoleKind::kGate || child->pid < 0) continue;
    log_.error("{} (pid {}) broke the rules, says {}; ending it", child->label, child->pid,
               accuser.label);
    kill(*child);
  }
}

void Supervisor::role_ready(Child& child, const std::string& detail) {
  child.ready = true;
  if (child.kind == RoleKind::kWarden) warden_detail_ = detail;
  if (child.was_ready) {
    log_.info("{} is back, {} ms after it died", child.label,
              milliseconds(base::monotonic_now() - child.ended).count());
  }
  child.was_ready = true;
  const bool all =
      std::all_of(children_.begin(), children_.end(), [](const auto& c) { return c->ready; });
  if (all && !std::exchange(announced_, true)) plan_.on_ready(warden_detail_);
}

void Supervisor::kill(const Child& child) {
  // Only reap() frees the number, so it still names our child.
  if (child.pid > 0) ::kill(child.pid, SIGKILL);
}

}  // namespace sandtrap::app
