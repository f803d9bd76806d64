#include "warden/pool.h"

#include <algorithm>
#include <boost/asio/post.hpp>

namespace sandtrap::warden {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr std::size_t kMaxLabelled = 1000;  // sessions and recordings named in one label

}  // namespace

SandboxPool::SandboxPool(net::asio::any_io_executor executor, sandbox::Engine& engine,
                         PoolSettings settings, cases::Table& cases, event::EventLog& events,
                         base::Entropy& entropy, base::Log& log)
    : executor_(executor),
      engine_(engine),
      settings_(std::move(settings)),
      book_(cases),
      events_(events),
      entropy_(entropy),
      log_(log),
      tasks_(executor, log),
      life_(settings_.life),
      recheck_timer_(executor),
      life_timer_(executor),
      upkeep_timer_(executor),
      refill_timer_(executor),
      demand_({settings_.size, settings_.size_max}),
      images_(settings_.images),
      opened_signal_(executor),
      gone_signal_(executor) {
  use_images(settings_.images);
}

void SandboxPool::open(std::vector<sandbox::Leftover> leftovers) {
  opened_ = true;
  for (sandbox::Leftover& leftover : leftovers) adopt(std::move(leftover));
  opened_signal_.notify();
  if (settings_.size == 0 && on_ready_) {
    ready_ = true;
    on_ready_();
  }
  look_after();
  refill();
  tasks_.spawn("pool recheck", recheck_loop());
  tasks_.spawn("pool upkeep", upkeep_loop());
}

void SandboxPool::configure(PoolSettings settings) {
  const bool other_images = settings.images != settings_.images;
  const bool other_recheck = settings.recheck != settings_.recheck;
  settings_ = std::move(settings);
  life_.configure(settings_.life);
  demand_.configure({settings_.size, settings_.size_max});
  if (other_images) use_images(settings_.images);
  if (other_recheck) recheck_timer_.cancel();  // so that the new interval counts at once
  trim(base::monotonic_now(), true);
  look_after();
  refill();
}

SlotRef SandboxPool::take_warm(const ImageWish& wish) {
  auto found = std::find_if(warm_.begin(), warm_.end(),
                            [&](const SlotRef& one) { return one->image == wish.first; });
  if (found == warm_.end()) {
    found = std::find_if(warm_.begin(), warm_.end(),
                         [&](const SlotRef& one) { return accepts(wish, one->image); });
  }
  if (found == warm_.end()) return nullptr;
  SlotRef slot = std::move(*found);
  warm_.erase(found);
  slot->state = SlotState::kClaimed;
  return slot;
}

net::Task<base::Result<SlotRef>> SandboxPool::claim(Claimant who, Deadline deadline,
                                                    std::shared_ptr<const Interest> interest) {
  demand_.arrived(base::monotonic_now());
  ++counters_.claimed;
  // The same case draws the same image each time.
  const auto lot = static_cast<std::uint32_t>(std::hash<std::string>{}(who.case_id));
  const ImageWish wish = images_.wish(who.user, who.source_ip, lot);
  if (SlotRef slot = take_warm(wish)) {
    ++counters_.claimed_warm;
    refill_soon();
    co_return slot;
  }
  if (queue_.size() < settings_.claim_queue) {
    // Counted as a waiter only once wait() runs; refill() then sees the demand.
    net::asio::post(executor_, [this] { refill(); });
  }
  auto claimed = co_await queue_.wait(settings_.claim_queue, deadline, std::move(interest), wish);
  if (!claimed) ++counters_.refused;
  co_return claimed;
}

// False: not by then.
net::Task<bool> SandboxPool::await_opening(Deadline deadline) {
  net::asio::steady_timer timer(executor_, deadline);
  timer.async_wait([this](boost::system::error_code aborted) {
    if (!aborted) opened_signal_.notify();
  });
  while (!opened_ && !draining_ && Clock::now() < deadline) co_await opened_signal_.wait();
  co_return opened_ || draining_;
}

net::Task<base::Result<SlotRef>> SandboxPool::acquire(Claimant who,
                                                      std::shared_ptr<const Interest> interest) {
  const base::Instant begun = base::monotonic_now();
  const Deadline deadline = Clock::now() + settings_.claim_timeout;
  if (!co_await await_opening(deadline)) {
    ++counters_.refused;
    co_return base::fail(base::Errc::kTimeout, "the engine is away");
  }

  for (;;) {
    if (draining_) co_return base::fail(base::Errc::kUnavailable, "the pool is draining");
    if (interest && interest->lost) co_return base::fail(base::Errc::kClosed, "session ended");
    std::unique_ptr<CaseHold>& entry = cases_[who.case_id];
    if (!entry) entry = std::make_unique<CaseHold>(executor_);
    CaseHold& mine = *entry;
    if (mine.slot && life_.use(mine.slot->id)) {
      const bool known = mine.slot->holders.contains(who.session);
      if (known) co_return mine.slot;
      co_return hold(mine, who, true, true, base::monotonic_now() - begun);
    }
    const bool frozen = mine.slot && life_.state(mine.slot->id) == cases::LifeState::kFrozen;
    // Being frozen, thawed, put away, or another session is at it.
    if (mine.claiming || (mine.slot && !frozen)) {
      if (auto waited = co_await await_change(mine, who.case_id, deadline); !waited)
        co_return tl::unexpected(waited.error());
      continue;
    }
    mine.claiming = true;
    bool warm = frozen;
    const auto provided = co_await provide(who, deadline, interest, warm);
    mine.claiming = false;
    mine.changed.notify();
    if (!provided) {
      forget_if_unused(who.case_id);
      co_return tl::unexpected(provided.error());
    }
    if (!*provided) continue;  // it was lost under way
    co_return hold(mine, who, warm, frozen, base::monotonic_now() - begun);
  }
}

// Waits for news of the case's sandbox, no longer than until `deadline`.
net::Task<base::Status> SandboxPool::await_change(CaseHold& mine, std::string case_id,
                                                  Deadline deadline) {
  if (Clock::now() >= deadline) co_return base::fail(base::Errc::kTimeout, "no sandbox in time");
  ++mine.waiting;
  net::asio::steady_timer timer(executor_, deadline);
  timer.async_wait([this, case_id](boost::system::error_code aborted) {
    const auto it = aborted ? cases_.end() : cases_.find(case_id);
    if (it != cases_.end()) it->second->changed.notify();
  });
  co_await mine.changed.wait();
  timer.cancel();
  --mine.waiting;
  forget_if_unused(case_id);
  co_return base::Status{};
}

// The case's sandbox, running and in its hold: thawed, restored, or claimed. It holds a place among
// the running from the first step on. Null: it was lost under way, look again.
net::Task<base::Result<SlotRef>> SandboxPool::provide(Claimant who, Deadline deadline,
                                                      std::shared_ptr<const Interest> interest,
                                                      bool& warm) {
  const SlotRef frozen = slot_of(who.case_id);
  if (frozen) life_.want(frozen->id, true);
  base::Status room = co_await reserve(deadline, interest);
  const bool reserved = room.has_value();
  if (reserved && (frozen || has_preserved(who.case_id))) room = co_await make_way(deadline);
  if (frozen) life_.want(frozen->id, false);
  if (!room) {
    if (reserved) unreserve();
    co_return tl::unexpected(room.error());
  }
  if (frozen) {
    if (!life_.thaw(frozen->id)) {
      unreserve();
      co_return SlotRef();
    }
    const base::Status thawed = co_await thaw_slot(frozen);
    co_return thawed ? frozen : SlotRef();
  }
  auto restored = co_await restore(who);
  if (!restored) {
    unreserve();
    co_return tl::unexpected(restored.error());
  }
  SlotRef slot = std::move(*restored);
  if (!slot) {
    warm = !warm_.empty();
    auto claimed = co_await claim(who, deadline, interest);
    if (!claimed) {
      unreserve();
      co_return tl::unexpected(claimed.error());
    }
    slot = std::move(*claimed);
    // Lost between grant and here, or nobody wants it any more: then the next may have it.
    const bool usable = slot->state == SlotState::kClaimed;
    if (!usable || draining_ || (interest && interest->lost)) {
      if (usable && !draining_) place(slot);
      unreserve();
      if (draining_) co_return base::fail(base::Errc::kUnavailable, "the pool is draining");
      if (usable) co_return base::fail(base::Errc::kClosed, "session ended");
      co_return SlotRef();
    }
  }
  life_.add(slot->id, cases::LifeState::kInUse, base::monotonic_now());
  cases_.at(who.case_id)->slot = slot;
  co_return slot;
}

SlotRef SandboxPool::hold(CaseHold& mine, const Claimant& who, bool warm, bool returning,
                          base::Duration waited) {
  Slot& slot = *mine.slot;
  slot.state = SlotState::kClaimed;
  const bool first = slot.case_id.empty();
  if (first) {
    slot.case_id = who.case_id;
    slot.source_ip = who.source_ip;
    slot.claimed = base::wall_now();
  }
  slot.holders.insert(who.session);
  auto& sessions = slot.sessions;
  if (sessions.size() < kMaxLabelled &&
      std::find(sessions.begin(), sessions.end(), who.session) == sessions.end()) {
    sessions.push_back(who.session);
  }
  // Whose it is must be on disk at once; who else came to it can wait.
  first ? mark(mine.slot) : mark_later(mine.slot);
  note(slot, cases::SandboxState::kRunning);
  const auto micros = duration_cast<std::chrono::microseconds>(waited).count();
  emit(slot,
       event::SandboxClaimed{slot.id, settings_.engine, warm, returning,
                             static_cast<std::uint64_t>(std::max<std::int64_t>(micros, 0))},
       &who);
  return mine.slot;
}

bool SandboxPool::resume(const Claimant& who) {
  const auto it = cases_.find(who.case_id);
  if (it == cases_.end() || !it->second->slot || draining_) return false;
  const SlotRef slot = it->second->slot;
  if (!life_.use(slot->id)) return false;
  if (!slot->holders.contains(who.session)) {
    hold(*it->second, who, true, true, base::Duration(0));
  }
  return true;
}

void SandboxPool::release(const std::string& case_id, const std::string& session) {
  const SlotRef slot = slot_of(case_id);
  if (!slot || slot->holders.erase(session) == 0 || !slot->holders.empty()) return;
  const auto seconds = duration_cast<std::chrono::seconds>(settings_.life.observe).count();
  emit(*slot, event::SandboxReleased{slot->id, static_cast<std::uint64_t>(seconds)});
  life_.leave(slot->id, base::monotonic_now());
  look_after();
}

bool SandboxPool::has_machine(const std::string& case_id) const {
  return !draining_ && (slot_of(case_id) || has_preserved(case_id));
}

void SandboxPool::forget_if_unused(const std::string& case_id) {
  const auto it = cases_.find(case_id);
  if (it == cases_.end()) return;
  const CaseHold& entry = *it->second;
  if (!entry.slot && !entry.claiming && entry.waiting == 0) cases_.erase(it);
}

void SandboxPool::add_recording(const std::string& case_id, std::string path) {
  const auto it = cases_.find(case_id);
  if (it == cases_.end() || !it->second->slot) return;
  Slot& slot = *it->second->slot;
  if (slot.recordings.size() >= kMaxLabelled) return;
  slot.recordings.push_back(std::move(path));
  mark_later(it->second->slot);
}

void SandboxPool::lost(const SlotRef& slot) {
  if (slot->state == SlotState::kRetiring) return;
  std::erase(warm_, slot);
  retire(slot, "its first process ended");
}

}  // namespace sandtrap::warden
