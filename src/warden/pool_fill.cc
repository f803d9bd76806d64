// The pool's supply side: orders sandboxes, verifies them, backs off when the engine fails.
#include <algorithm>
#include <boost/asio/post.hpp>
#include <tuple>
#include <utility>

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
  if (!opened_ || draining_) return;
  const base::Instant now = base::monotonic_now();
  while (starting_ < settings_.refill_concurrency && total() + making_way_ < settings_.max_total) {
    const auto image = next_image(stock(now), queue_.wishes());
    if (!image) break;
    order_one(*image);
  }
  // A warm one is of an image that nobody who waits can use.
  if (queue_.size() > starting_ + retiring_ + to_retire_.size() && !warm_.empty() &&
      total() >= settings_.max_total) {
    const SlotRef other = std::move(warm_.front());
    warm_.pop_front();
    retire(other, "another image is wanted");
  }
  // An observed sandbox is a kindness to someone who may return: who waits now comes first.
  if (!queue_.empty() && total() >= settings_.max_total) look_after();
}

void SandboxPool::refill_soon() {
  if (std::exchange(refill_armed_, true)) return;
  refill_timer_.expires_after(kAfterClaim);
  refill_timer_.async_wait([this](boost::system::error_code aborted) {
    if (aborted) return;
    refill_armed_ = false;
    refill();
  });
}

// What there is of each image, and its share of what should be warm. A stale one stays until its
// replacement is there.
std::vector<ImageStock> SandboxPool::stock(base::Instant now) const {
  std::vector<ImageStock> out(images_.size());
  const std::vector<std::uint32_t> shares = images_.shares(demand_.target(now));
  std::vector<bool> stale(out.size());
  for (const SlotRef& slot : warm_) {
    if (slot->image >= out.size()) continue;
    ++out[slot->image].warm;
    if (now >= slot->expires) stale[slot->image] = true;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i].share = shares[i] + (stale[i] ? 1 : 0);
    out[i].starting = supplies_[i]->starting;
    out[i].blocked = supplies_[i]->backing_off;
  }
  return out;
}

void SandboxPool::order_one(std::size_t image) {
  auto slot = std::make_shared<Slot>(executor_);
  do {
    slot->id = base::random_id(entropy_, 12);
  } while (slots_.contains(slot->id));
  slot->ordered = base::monotonic_now();
  slot->image = image;
  slot->image_name = images_.image(image).name;
  slot->image_reference = images_.image(image).image;
  slots_.emplace(slot->id, slot);
  ++starting_;
  ++supplies_[image]->starting;
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
    ended_start(*late);
    back_off(late->image,
             base::Error{base::Errc::kTimeout, "sandbox " + late->id + " did not start in time"});
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
  limits.image = slot->image_reference;
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

void SandboxPool::ended_start(Slot& slot) {
  --starting_;
  if (slot.image < supplies_.size()) --supplies_[slot.image]->starting;
}

void SandboxPool::start_failed(const SlotRef& slot, const base::Error& error) {
  slot->deadline.cancel();
  const bool counted = !slot->overdue;
  if (counted) ended_start(*slot);
  gone(slot);
  if (counted && !draining_) back_off(slot->image, error);
}

// One image that cannot be started does not hold up the others.
void SandboxPool::back_off(std::size_t image, const base::Error& error) {
  ++counters_.failed;
  log_.warn("pool: {}", error.context);
  // Best effort: a full backlog is reported by the event log itself.
  (void)events_.emit({}, event::ErrorRaised{"pool", error.context});
  if (draining_ || image >= supplies_.size() || supplies_[image]->backing_off) return;
  Supply& supply = *supplies_[image];
  const auto most = std::max(settings_.backoff_first, settings_.backoff_most);
  const milliseconds full = std::min(
      milliseconds(settings_.backoff_first.count() << std::min(supply.failures, 16U)), most);
  ++supply.failures;
  // Half of it is drawn: several sensors must not hammer one engine in step.
  const auto half = std::max<std::int64_t>(full.count() / 2, 1);
  const milliseconds pause(half + draw(entropy_, static_cast<std::uint32_t>(half) + 1));
  supply.backing_off = true;
  supply.timer.expires_after(pause);
  supply.timer.async_wait(
      [this, weak = std::weak_ptr<Supply>(supplies_[image])](boost::system::error_code aborted) {
        const std::shared_ptr<Supply> mine = weak.lock();
        if (aborted || !mine) return;
        mine->backing_off = false;
        refill();
      });
  if (supply.failures == 1) report();
}

void SandboxPool::started(const SlotRef& slot) {
  ended_start(*slot);
  ++counters_.started;
  const bool recovered =
      slot->image < supplies_.size() && std::exchange(supplies_[slot->image]->failures, 0) > 0;
  const base::Instant now = base::monotonic_now();
  slot->created = base::wall_now();
  slot->checked = now;
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(now - slot->ordered).count();
  emit(*slot, event::SandboxReady{slot->id, settings_.engine, static_cast<std::uint64_t>(micros)});
  demand_.started(now - slot->ordered);
  // A fifth more or less: sandboxes that were made together do not all go at once.
  const auto age = settings_.warm_max_age.count();
  const auto fifth = std::max<std::int64_t>(std::min<std::int64_t>(age / 5, UINT32_MAX / 2), 1);
  slot->expires =
      now + milliseconds(age - fifth + draw(entropy_, static_cast<std::uint32_t>(2 * fifth)));
  log_.debug("pool: sandbox {} is ready after {} us", slot->id, micros);
  place(slot);
  if (!ready_) {
    ready_ = true;
    if (on_ready_) on_ready_();
  }
  if (recovered) {
    // An engine that was away may have taken the warm ones with it.
    recheck_all();
    report();
  }
  refill();
}

void SandboxPool::place(const SlotRef& slot) {
  if (slot->image == kNoImage) return retire(slot, "other images are configured");
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
    const auto waited = co_await recheck_timer_.async_wait(net::use_ec);
    const auto oldest = std::min_element(
        warm_.begin(), warm_.end(),
        [](const SlotRef& a, const SlotRef& b) { return a->checked < b->checked; });
    const bool other_interval = static_cast<bool>(std::get<0>(waited));
    if (draining_ || other_interval || oldest == warm_.end()) continue;
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
