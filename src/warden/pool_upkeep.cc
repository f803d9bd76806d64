// The pool's housekeeping: lets surplus and stale warm sandboxes go, reports how it fares.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "warden/pool.h"

namespace sandtrap::warden {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

}  // namespace

net::Task<void> SandboxPool::upkeep_loop() {
  while (!draining_) {
    upkeep_timer_.expires_after(settings_.upkeep);
    co_await upkeep_timer_.async_wait(net::use_ec);
    if (draining_) break;
    const base::Instant now = base::monotonic_now();
    trim(now, false);
    refill();
    if (now - reported_at_ >= settings_.status_interval) report();
  }
}

// Surplus goes one at a time: demand comes in waves, and each costs a start to make. A stale one
// goes when its replacement is there, or when there is no room for one.
void SandboxPool::trim(base::Instant now, bool all) {
  const std::vector<std::uint32_t> shares = images_.shares(demand_.target(now));
  for (std::size_t i = 0; i < shares.size(); ++i) {
    for (bool again = true; again;) {
      const auto count = static_cast<std::uint32_t>(std::count_if(
          warm_.begin(), warm_.end(), [i](const SlotRef& slot) { return slot->image == i; }));
      SlotRef oldest;
      for (const SlotRef& slot : warm_) {
        if (slot->image == i && (!oldest || slot->expires < oldest->expires)) oldest = slot;
      }
      const bool stale = oldest && now >= oldest->expires;
      const bool no_room = total() >= settings_.max_total && queue_.size() == 0;
      if (!oldest || (count <= shares[i] && !(stale && no_room))) break;
      std::erase(warm_, oldest);
      if (stale) ++counters_.recycled;
      retire(oldest, stale ? "it was warm for long" : "fewer are needed");
      again = all && count - 1 > shares[i];
    }
  }
}

void SandboxPool::recheck_all() {
  for (const SlotRef& slot : warm_) {
    slot->checked = base::monotonic_now();
    tasks_.spawn("verify sandbox again", recheck(slot));
  }
}

// Sandboxes of the images before are let go; who has one keeps it.
void SandboxPool::use_images(const std::vector<config::PoolImage>& images) {
  for (const auto& supply : supplies_) supply->timer.cancel();
  images_ = ImageChoice(images);
  supplies_.clear();
  for (std::size_t i = 0; i < images_.size(); ++i) {
    supplies_.push_back(std::make_shared<Supply>(executor_));
  }
  for (const auto& [id, slot] : slots_) slot->image = kNoImage;
  const std::deque<SlotRef> old = std::exchange(warm_, {});
  for (const SlotRef& slot : old) retire(slot, "other images are configured");
}

event::PoolStatus SandboxPool::status(base::Instant now) const {
  event::PoolStatus out;
  const std::vector<ImageStock> images = stock(now);
  const std::vector<std::uint32_t> shares = images_.shares(demand_.target(now));
  out.engine = settings_.engine;
  out.failing = std::any_of(supplies_.begin(), supplies_.end(),
                            [](const auto& supply) { return supply->failures > 0; });
  out.warm = warm_.size();
  out.target = demand_.target(now);
  out.starting = starting_;
  out.total = total();
  out.waiting = queue_.size();
  out.arrivals_per_hour = static_cast<std::uint64_t>(demand_.rate(now) * 3600);
  out.start_ms =
      static_cast<std::uint64_t>(duration_cast<milliseconds>(demand_.start_time()).count());
  out.started = counters_.started;
  out.failed = counters_.failed;
  out.claimed = counters_.claimed;
  out.claimed_warm = counters_.claimed_warm;
  out.refused = counters_.refused;
  out.recycled = counters_.recycled;
  for (std::size_t i = 0; i < images.size(); ++i) {
    out.images.push_back(fmt::format("{}: {} of {}{}", images_.image(i).name, images[i].warm,
                                     shares[i], supplies_[i]->failures > 0 ? ", failing" : ""));
  }
  return out;
}

// A quiet pool says nothing twice.
void SandboxPool::report() {
  const base::Instant now = base::monotonic_now();
  const event::PoolStatus current = status(now);
  std::string line = event::to_line({}, current);
  reported_at_ = now;
  if (line == reported_) return;
  reported_ = std::move(line);
  (void)events_.emit({}, current);
}

}  // namespace sandtrap::warden
