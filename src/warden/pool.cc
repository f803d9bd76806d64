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

PoolSettings pool_settings(const config::Settings& settings) {
  const config::ContainerPool& from = settings.container_pool;
  const config::Container& box = settings.container;
  PoolSettings out;
  out.engine = from.engine;
  out.size = std::min(from.size, from.max_total);
  out.max_total = from.max_total;
  out.refill_concurrency = std::max(from.refill_concurrency, 1U);
  out.claim_queue = from.claim_queue;
  out.claim_timeout = from.claim_timeout;
  out.start_timeout = from.start_timeout;
  out.verify_timeout = from.verify_timeout;
  out.linger = from.linger;
  out.preserve = settings.preservation.enabled;
  out.limits.memory_bytes = box.memory_bytes;
  out.limits.cpus = box.cpus;
  out.limits.pids = box.pids;
  out.limits.disk_bytes = box.disk_bytes;
  out.limits.file_size_bytes = box.file_size_bytes;
  out.limits.open_files = box.open_files;
  out.limits.capabilities = box.capabilities;
  out.limits.no_new_privileges = box.no_new_privileges;
  out.hostnames = box.hostnames;
  return out;
}

SandboxPool::SandboxPool(net::asio::any_io_executor executor, sandbox::Engine& engine,
                         PoolSettings settings, event::EventLog& events, base::Entropy& entropy,
                         base::Log& log)
    : executor_(executor),
      engine_(engine),
      settings_(std::move(settings)),
      events_(events),
      entropy_(entropy),
      log_(log),
      tasks_(executor, log),
      backoff_timer_(executor),
      recheck_timer_(executor),
      opened_signal_(executor),
      gone_signal_(executor) {}

void SandboxPool::open(std::vector<sandbox::Leftover> leftovers) {
  opened_ = true;
  for (sandbox::Leftover& leftover : leftovers) adopt(std::move(leftover));
  opened_signal_.notify();
  if (settings_.size == 0 && on_ready_) {
    ready_ = true;
    on_ready_();
  }
  refill();
  tasks_.spawn("pool recheck", recheck_loop());
}

void SandboxPool::configure(PoolSettings settings) {
  settings_ = std::move(settings);
  while (warm_.size() > settings_.size) {
    const SlotRef slot = std::move(warm_.front());
    warm_.pop_front();
    retire(slot, "pool was made smaller");
  }
  refill();
}

SlotRef SandboxPool::take_warm() {
  if (warm_.empty()) return nullptr;
  SlotRef slot = std::move(warm_.front());
  warm_.pop_front();
  slot->state = SlotState::kClaimed;
  return slot;
}

net::Task<base::Result<SlotRef>> SandboxPool::claim(Deadline deadline,
                                                    std::shared_ptr<const Interest> interest) {
  if (SlotRef slot = take_warm()) {
    refill();
    co_return slot;
  }
  if (queue_.size() < settings_.claim_queue) {
    // Counted as a waiter only once wait() runs; refill() then sees the demand.
    net::asio::post(executor_, [this] { refill(); });
  }
  co_return co_await queue_.wait(settings_.claim_queue, deadline, std::move(interest));
}

net::Task<base::Result<SlotRef>> SandboxPool::acquire(Claimant who,
                                                      std::shared_ptr<const Interest> interest) {
  const base::Instant begun = base::monotonic_now();
  const Deadline deadline = Clock::now() + settings_.claim_timeout;
  while (!opened_ && !draining_) co_await opened_signal_.wait();

  for (;;) {
    if (draining_) co_return base::fail(base::Errc::kUnavailable, "the pool is draining");
    if (interest && interest->lost) co_return base::fail(base::Errc::kClosed, "session ended");
    std::unique_ptr<CaseHold>& entry = cases_[who.case_id];
    if (!entry) entry = std::make_unique<CaseHold>(executor_);
    CaseHold& mine = *entry;
    if (mine.slot) {
      const bool known = mine.slot->holders.contains(who.session);
      if (known) co_return mine.slot;
      co_return hold(mine, who, true, true, base::monotonic_now() - begun);
    }
    if (mine.claiming) {
      if (Clock::now() >= deadline)
        co_return base::fail(base::Errc::kTimeout, "no sandbox in time");
      ++mine.waiting;
      co_await mine.changed.wait();
      --mine.waiting;
      forget_if_unused(who.case_id);
      continue;
    }
    mine.claiming = true;
    const bool warm = !warm_.empty();
    auto claimed = co_await claim(deadline, interest);
    mine.claiming = false;
    mine.changed.notify();
    if (!claimed) {
      forget_if_unused(who.case_id);
      co_return tl::unexpected(claimed.error());
    }
    const SlotRef slot = std::move(*claimed);
    if (slot->state != SlotState::kClaimed) continue;  // lost between grant and here
    if (interest && interest->lost) {
      place(slot);  // nobody was in it: the next may have it
      forget_if_unused(who.case_id);
      co_return base::fail(base::Errc::kClosed, "session ended");
    }
    mine.slot = slot;
    co_return hold(mine, who, warm, false, base::monotonic_now() - begun);
  }
}

SlotRef SandboxPool::hold(CaseHold& mine, const Claimant& who, bool warm, bool returning,
                          base::Duration waited) {
  Slot& slot = *mine.slot;
  slot.state = SlotState::kClaimed;
  slot.linger.cancel();
  if (slot.case_id.empty()) {
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
  mark(mine.slot);
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
  if (!it->second->slot->holders.contains(who.session)) {
    hold(*it->second, who, true, true, base::Duration(0));
  }
  return true;
}

void SandboxPool::release(const std::string& case_id, const std::string& session) {
  const auto it = cases_.find(case_id);
  if (it == cases_.end() || !it->second->slot) return;
  const SlotRef slot = it->second->slot;
  if (slot->holders.erase(session) == 0 || !slot->holders.empty()) return;
  const auto seconds = duration_cast<std::chrono::seconds>(settings_.linger).count();
  emit(*slot, event::SandboxReleased{slot->id, static_cast<std::uint64_t>(seconds)});
  start_linger(slot, settings_.linger);
}

SlotRef SandboxPool::machine_of(const std::string& case_id) const {
  const auto it = cases_.find(case_id);
  return it == cases_.end() || draining_ ? nullptr : it->second->slot;
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
  mark(it->second->slot);
}

void SandboxPool::lost(const SlotRef& slot) {
  if (slot->state == SlotState::kRetiring) return;
  std::erase(warm_, slot);
  retire(slot, "its first process ended");
}

}  // namespace sandtrap::warden
