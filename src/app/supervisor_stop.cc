// supervisor.h: signals, reload, and the ordered end. Gates end first, so that no session loses its
// sandbox or its recording under it; the scribe ends last, so that every event finds its file.
#include <sys/wait.h>

#include <boost/asio/co_spawn.hpp>
#include <csignal>

#include "app/launch.h"
#include "app/links.h"
#include "app/supervisor.h"

namespace sandtrap::app {
namespace asio = boost::asio;

void Supervisor::wait_for_signal() {
  signals_.async_wait([this](boost::system::error_code error, int number) {
    if (error) return;
    on_signal(number);
    wait_for_signal();
  });
}

// The lender's network ends with it; sockets of that network would wait for ever.
void Supervisor::watch_lender() {
  lender_.assign(plan_.lender.release());
  lender_.async_wait(asio::posix::stream_descriptor::wait_read,
                     [this](boost::system::error_code error) {
                       if (error || stopping_) return;
                       log_.error("`sandtrap listen`, which lent the ports, has ended; stopping");
                       begin_stop(1);
                     });
}

void Supervisor::on_signal(int number) {
  if (number == SIGCHLD) return reap();
  if (number == SIGHUP) return reload();
  if (stopping_) return hurry();
  log_.info("{}: stopping; sessions have {} s left, a second signal ends them now",
            number == SIGINT ? "SIGINT" : "SIGTERM", plan_.drain_grace().count());
  begin_stop(0);
}

// New settings that change what a sandbox may do are tried on one first, in a process of its own
// beside everything that runs: what does not hold never comes into use.
void Supervisor::reload() {
  if (stopping_) return;
  if (verifier_ > 0) {
    log_.warn("SIGHUP: the settings of the last one are still being verified; try again later");
    return;
  }
  if (!plan_.reload()) return;
  const auto text = plan_.to_verify();
  if (!text) return settle(true);
  const auto file = text_in_memory(*text);
  base::Result<pid_t> pid = tl::unexpected(base::Error{});
  if (file) pid = launch({plan_.program, plan_.verify_arguments, -1, file->get(), -1});
  if (!pid) {
    log_.error("SIGHUP: the new settings cannot be verified, so the old ones stay in use: {}",
               file ? pid.error().context : file.error().context);
    return settle(false);
  }
  verifier_ = *pid;
  log_.info("SIGHUP: a sandbox of the new settings is attacked from inside first");
}

void Supervisor::verified(int status) {
  verifier_ = -1;
  changed_.cancel();
  const bool held = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (!held) {
    log_.error(
        "SIGHUP: a sandbox of the new settings does not hold (verify: {}), so the old ones stay in "
        "use; `sandtrap verify` shows why",
        describe_wait_status(status));
  }
  settle(held && !stopping_);
}

void Supervisor::settle(bool good) {
  plan_.settle(good);
  if (!good) return;
  for (auto& child : children_) {
    if (child->pid < 0) continue;
    auto text = text_in_memory(plan_.settings_text(child->kind));
    if (!text) {
      log_.error("reload: {}", text.error().context);
      return;
    }
    std::vector<base::Fd> descriptors;
    descriptors.push_back(std::move(*text));
    child->reloading = true;
    if (!child->channel->send(ipc::Reload{}, std::move(descriptors))) kill(*child);
  }
}

void Supervisor::begin_stop(int exit_code) {
  if (std::exchange(stopping_, true)) return;
  exit_code_ = exit_code;
  plan_.listening.clear();
  for (auto& child : children_) child->restart.cancel();
  asio::co_spawn(io_, stop_all(), [this](std::exception_ptr error) {
    if (error) log_.error("stopping failed unexpectedly");
    io_.stop();
  });
}

// The second signal ends the sessions' grace, the third everything at once.
void Supervisor::hurry() {
  ++hurries_;
  log_.info("stopping {}", hurries_ == 1 ? "without waiting for sessions" : "by force");
  const base::Duration left =
      hurries_ > 1 ? base::Duration(0) : base::Duration(std::chrono::seconds(3));
  if (stopping_kind_ == RoleKind::kGate || hurries_ > 1) {
    stop_deadline_ = std::min(stop_deadline_, base::monotonic_now() + left);
  }
  for (auto& child : children_) {
    const bool told = child->pid > 0 && child->kind == stopping_kind_ && hurries_ == 1;
    if (told && !child->channel->send(ipc::Drain{0})) kill(*child);
  }
  changed_.cancel();
}

net::Task<void> Supervisor::stop_all() {
  const std::chrono::seconds grace = plan_.drain_grace();
  co_await stop_kind(RoleKind::kGate, grace, grace + plan_.gate_extra);
  co_await stop_kind(RoleKind::kWarden, std::chrono::seconds(0), plan_.warden_bound);
  // One second for the ends of its peers to reach it; then it finishes the last recordings.
  co_await stop_kind(RoleKind::kScribe, std::chrono::seconds(1), plan_.scribe_bound);
  links_.reset();
  co_await see_verifier_off();
}

// It takes its throw-away folders with it, if it is left the time.
net::Task<void> Supervisor::see_verifier_off() {
  stop_deadline_ = base::monotonic_now() + std::chrono::seconds(hurries_ > 1 ? 0 : 30);
  while (verifier_ > 0) {
    const base::Duration left = stop_deadline_ - base::monotonic_now();
    if (left.count() <= 0) {
      ::kill(verifier_, SIGKILL);
      stop_deadline_ = base::monotonic_now() + std::chrono::seconds(10);
      continue;
    }
    changed_.expires_after(left);
    co_await changed_.async_wait(net::use_ec);
  }
}

net::Task<void> Supervisor::stop_kind(RoleKind kind, std::chrono::seconds grace,
                                      std::chrono::milliseconds bound) {
  if (hurries_ > 0) grace = std::chrono::seconds(0);
  if (hurries_ > 1) bound = std::chrono::milliseconds(0);
  stopping_kind_ = kind;
  stop_deadline_ = base::monotonic_now() + bound;
  for (auto& child : children_) {
    if (child->kind != kind || child->pid < 0) continue;
    const ipc::Drain drain{static_cast<std::uint32_t>(grace.count())};
    if (!child->channel->send(drain)) kill(*child);
  }
  while (alive(kind)) {
    const base::Duration left = stop_deadline_ - base::monotonic_now();
    if (left.count() <= 0) {
      log_.warn("{} did not end in time; killing it", name(kind));
      for (auto& child : children_) {
        if (child->kind == kind) kill(*child);
      }
      // SIGKILL cannot be refused, but may wait for the disk; only the reaping is waited for.
      stop_deadline_ = base::monotonic_now() + std::chrono::seconds(10);
      continue;
    }
    changed_.expires_after(left);
    co_await changed_.async_wait(net::use_ec);
  }
}

bool Supervisor::alive(RoleKind kind) const {
  for (const auto& child : children_) {
    if (child->kind == kind && child->pid > 0) return true;
  }
  return false;
}

}  // namespace sandtrap::app
