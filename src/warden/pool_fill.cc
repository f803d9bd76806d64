// The pool's supply side: orders sandboxes, verifies them, backs off when the engine fails.
#include <algorithm>
#include <boost/asio/post.hpp>

#include "warden/pool.h"

namespace sandtrap::warden {
namespace {

using std::chrono::milliseconds;

std::uint32_t draw(base::Entropy& entropy, std::uint32_t below) {
  std::uint8_t raw[4];
  entropy.fill(raw);
  std::uint32_t value = 0;
  for (const std::uint8_t byte : raw) value = value << 8 | byte;
  return below == 0 ? 0 : value % below;
}

}  // namespace

void SandboxPool::refill() {
  if (!opened_ || draining_ || backing_off_) return;
  // Demand: the warm ones that are missing, and one for each who waits.
  while (starting_ < settings_.refill_concurrency && total() + making_way_ < settings_.max_total &&
         warm_.size() + starting_ < settings_.size + queue_.size()) {
    order_one();
  }
  // An observed sandbox is a kindness to someone who may return: who waits now comes first.
  if (!queue_.empty() && total() >= settings_.max_total) look_after();
}

void SandboxPool::order_one() {
  auto slot = std::make_shared<Slot>(executor_);
  do {
    slot->id = base::random_id(entropy_, 12);
  } while (slots_.contains(slot->id));
  slot->ordered = base::monotonic_now();
  slots_.emplace(slot->id, slot);
  ++starting_;
  tasks_.spawn("start sandbox", start_one(slot));
}

// A start that misses its deadline is given up on but not cancelled: the engine may be in the
// middle of a mount. It goes on counting against max_total until the engine answers, then it is
// destroyed.
void SandboxPool::arm(const SlotRef& slot, milliseconds time) {
  slot->deadline.expires_after(time);
  slot->deadline.async_wait([this,
                             weak = std::weak_ptr<Slot>(slot)](boost::system::error_code error) {
    const SlotRef late = weak.lock();
    if (error || !late || late->overdue || late->state != SlotState::kStarting) return;
    late->overdue = true;
    --starting_;
    back_off(base::Error{base::Errc::kTimeout, "sandbox " + late->id + " did not start in time"});
  });
}

net::Task<void> SandboxPool::start_one(SlotRef slot) {
  sandbox::Limits limits = settings_.limits;
  if (!settings_.hostnames.empty()) {
    const auto count = static_cast<std::uint32_t>(settings_.hostnames.size());
    limits.hostname = settings_.hostnames[draw(entropy_, count)];
  }
  const std::string hostname = limits.hostname;
  arm(slot, settings_.start_timeout);
  auto made = co_await engine_.create(slot->id, std::move(limits));
  if (!made) {
    start_failed(slot, made.error());
    co_return;
  }
  slot->sandbox = std::move(*made);
  slot->hostname = hostname;
  base::Status verified;
  if (!slot->overdue && !draining_) {
    arm(slot, settings_.verify_timeout);
    verified = co_await slot->sandbox->verify();
  }
  slot->deadline.cancel();
  if (!verified || slot->overdue || draining_) {
    co_await slot->sandbox->destroy();
    start_failed(slot, verified ? base::Error{base::Errc::kClosed, ""} : verified.error());
    co_return;
  }
  started(slot);
}

void SandboxPool::start_failed(const SlotRef& slot, const base::Error& error) {
  slot->deadline.cancel();
  const bool counted = !slot->overdue;
  if (counted) --starting_;
  gone(slot);
  if (counted && !draining_) back_off(error);
}

void SandboxPool::back_off(const base::Error& error) {
  log_.warn("pool: {}", error.context);
  // Best effort: a full backlog is reported by the event log itself.
  (void)events_.emit({}, event::ErrorRaised{"pool", error.context});
  if (draining_ || backing_off_) return;
  const auto most = std::max(settings_.backoff_first, settings_.backoff_most);
  const milliseconds full =
      std::min(milliseconds(settings_.backoff_first.count() << std::min(failures_, 16U)), most);
  ++failures_;
  // Half of it is drawn: several sensors must not hammer one engine in step.
  const auto half = std::max<std::int64_t>(full.count() / 2, 1);
  const milliseconds pause(half + draw(entropy_, static_cast<std::uint32_t>(half) + 1));
  backing_off_ = true;
  backoff_timer_.expires_after(pause);
  backoff_timer_.async_wait([this](boost::system::error_code aborted) {
    if (aborted) return;
    backing_off_ = false;
    refill();
  });
}

void SandboxPool::started(const SlotRef& slot) {
  --starting_;
  failures_ = 0;
  const base::Instant now = base::monotonic_now();
  slot->created = base::wall_now();
  slot->checked = now;
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(now - slot->ordered).count();
  emit(*slot, event::SandboxReady{slot->id, settings_.engine, static_cast<std::uint64_t>(micros)});
  log_.debug("pool: sandbox {} is ready after {} us", slot->id, micros);
  place(slot);
  if (!ready_) {
    ready_ = true;
    if (on_ready_) on_ready_();
  }
  refill();
}

void SandboxPool::place(const SlotRef& slot) {
  slot->state = SlotState::kClaimed;
  if (queue_.grant(slot)) return;
  slot->state = SlotState::kWarm;
  warm_.push_back(slot);
  if (making_way_ > 0) gone_signal_.notify();  // it may have to go again at once
}

// A warm sandbox may have died in its sleep: the one whose last check is oldest is verified again.
net::Task<void> SandboxPool::recheck_loop() {
  while (!draining_) {
    recheck_timer_.expires_after(settings_.recheck);
    co_await recheck_timer_.async_wait(net::use_ec);
    const auto oldest = std::min_element(
        warm_.begin(), warm_.end(),
        [](const SlotRef& a, const SlotRef& b) { return a->checked < b->checked; });
    if (draining_ || oldest == warm_.end()) continue;
    (*oldest)->checked = base::monotonic_now();
    tasks_.spawn("verify sandbox again", recheck(*oldest));
  }
}

// It stays claimable meanwhile: whoever claims it sees by his own exec whether it lives.
net::Task<void> SandboxPool::recheck(SlotRef slot) {
  const auto drop = [this, slot](const std::string& why) {
    if (slot->state != SlotState::kWarm) return;
    log_.warn("pool: warm sandbox {}: {}", slot->id, why);
    lost(slot);
  };
  slot->deadline.expires_after(settings_.verify_timeout);
  slot->deadline.async_wait([drop](boost::system::error_code aborted) {
    if (!aborted) drop("did not answer in time");
  });
  const base::Status verified = co_await slot->sandbox->verify();
  slot->deadline.cancel();
  if (!verified) drop(verified.error().context);
}

}  // namespace sandtrap::warden
