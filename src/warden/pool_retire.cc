// The pool's other end: lingering, preserving, destroying, adopting what an earlier run left.
#include <time.h>

#include <algorithm>

#include "warden/pool.h"

namespace sandtrap::warden {
namespace {

using Clock = std::chrono::steady_clock;

// Ends at once that many; each costs the engine a kill, a delete and an unmount.
constexpr std::size_t kRetireConcurrency = 4;
constexpr std::chrono::hours kPreservePatience{1};
// After a restart the gates need a moment to come back with their sessions.
constexpr std::chrono::seconds kLeastAdopted{10};

sandbox::Label label_of(const Slot& slot, bool ended) {
  sandbox::Label label;
  label.sandbox = slot.id;
  label.case_id = slot.case_id;
  label.source_ip = slot.source_ip;
  label.created = base::to_iso8601(slot.created);
  if (slot.claimed.micros != 0) label.claimed = base::to_iso8601(slot.claimed);
  if (ended) label.ended = base::to_iso8601(base::wall_now());
  label.hostname = slot.hostname;
  label.sessions = slot.sessions;
  label.recordings = slot.recordings;
  label.image = slot.image_reference;
  return label;
}

// Reads back what to_iso8601() wrote; 0 for anything else.
base::WallTime parse_time(const std::string& text) {
  std::tm tm{};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &tm);
  if (rest == nullptr) return {};
  return base::WallTime{static_cast<std::int64_t>(::timegm(&tm)) * 1'000'000};
}

}  // namespace

void SandboxPool::emit(const Slot& slot, const event::Body& body, const Claimant* who) {
  event::Context context;
  context.case_id = slot.case_id;
  context.source_ip = slot.source_ip;
  if (who != nullptr) {
    context.session = who->session;
    context.source_port = who->source_port;
  }
  (void)events_.emit(std::move(context), body);  // a full backlog reports itself
}

// The case keeps it until it is gone: one who returns meanwhile waits, and gets its own disk.
void SandboxPool::retire(const SlotRef& slot, std::string reason) {
  if (slot->state == SlotState::kRetiring) return;
  slot->state = SlotState::kRetiring;
  slot->holders.clear();
  life_.end(slot->id);
  to_retire_.emplace_back(slot, std::move(reason));
  retire_next();
}

void SandboxPool::retire_next() {
  while (!to_retire_.empty() && retiring_ < kRetireConcurrency) {
    auto [slot, reason] = std::move(to_retire_.front());
    to_retire_.pop_front();
    ++retiring_;
    const bool keep = settings_.preserve && !slot->case_id.empty() && !slot->drop;
    tasks_.spawn("retire sandbox", retire_one(slot, std::move(reason), keep));
  }
}

net::Task<void> SandboxPool::retire_one(SlotRef slot, std::string reason, bool keep) {
  while (slot->labelling) co_await slot->labelled.wait();  // or it would overwrite the final label
  if (keep) {
    const sandbox::Label label = label_of(*slot, true);
    const auto kept = co_await preserve_patiently(slot, label);
    if (kept) {
      emit(*slot, event::SandboxPreserved{slot->id, settings_.engine, kept->reference, kept->bytes,
                                          label.sessions, label.recordings});
      if (on_preserved_) on_preserved_(label, *kept);
      note(*slot, cases::SandboxState::kPreserved, kept->reference, kept->bytes);
    } else {
      log_.error("pool: preserve sandbox {}: {}", slot->id, kept.error().context);
      emit(*slot, event::ErrorRaised{"pool", "preserve " + slot->id + ": " + kept.error().context});
      keep = false;
      reason = "could not be preserved";
    }
  }
  if (!keep) {
    co_await slot->sandbox->destroy();
    emit(*slot, event::SandboxRemoved{slot->id, reason});
    note(*slot, cases::SandboxState::kNone);
  }
  --retiring_;
  gone(slot);
  retire_next();
  refill();
}

// An engine that is away for a while (restarted) must not cost the attacker's work.
net::Task<base::Result<sandbox::Preserved>> SandboxPool::preserve_patiently(SlotRef slot,
                                                                            sandbox::Label label) {
  net::asio::steady_timer timer(executor_);
  const auto until = Clock::now() + kPreservePatience;
  for (auto pause = settings_.backoff_first;; pause = std::min(pause * 2, settings_.backoff_most)) {
    auto kept = co_await slot->sandbox->preserve(label);
    const bool away = !kept && (kept.error().code == base::Errc::kUnavailable ||
                                kept.error().code == base::Errc::kTimeout);
    if (!away || Clock::now() >= until) co_return kept;
    log_.warn("pool: preserve sandbox {}: {}; again", slot->id, kept.error().context);
    // Others need not wait for this one.
    --retiring_;
    retire_next();
    timer.expires_after(pause);
    co_await timer.async_wait(net::use_ec);
    ++retiring_;
  }
}

void SandboxPool::gone(const SlotRef& slot) {
  slots_.erase(slot->id);
  life_.gone(slot->id);
  const auto it = cases_.find(slot->case_id);
  if (it != cases_.end() && it->second->slot == slot) {
    it->second->slot.reset();
    it->second->changed.notify();
    forget_if_unused(slot->case_id);
  }
  gone_signal_.notify();
  look_after();
}

// Rewrites the crash-safe label on disk; changes that come meanwhile lead to one more round.
void SandboxPool::mark(const SlotRef& slot) {
  slot->label_is_stale = true;
  if (slot->labelling) return;
  slot->labelling = true;
  tasks_.spawn("label sandbox", mark_loop(slot));
}

void SandboxPool::mark_later(const SlotRef& slot) {
  if (slot->relabelling) return;
  slot->relabelling = true;
  slot->relabel.expires_after(kLabelDelay);
  slot->relabel.async_wait([this, weak = std::weak_ptr(slot)](boost::system::error_code aborted) {
    const SlotRef alive = aborted ? nullptr : weak.lock();
    if (!alive) return;
    alive->relabelling = false;
    if (alive->state == SlotState::kClaimed) mark(alive);
  });
}

net::Task<void> SandboxPool::mark_loop(SlotRef slot) {
  while (slot->label_is_stale && slot->state != SlotState::kRetiring) {
    slot->label_is_stale = false;
    const sandbox::Label label = label_of(*slot, false);
    const base::Status written = co_await slot->sandbox->mark_claimed(label);
    if (!written) {
      log_.error("pool: label of sandbox {}: {}", slot->id, written.error().context);
    }
  }
  slot->labelling = false;
  slot->labelled.notify();
}

void SandboxPool::adopt(sandbox::Leftover leftover) {
  auto slot = std::make_shared<Slot>(executor_);
  slot->id = leftover.sandbox->id();
  slot->sandbox = std::move(leftover.sandbox);
  slot->ordered = slot->checked = base::monotonic_now();
  slot->created = parse_time(leftover.label.created);
  slot->claimed = parse_time(leftover.label.claimed);
  slot->case_id = leftover.label.case_id;
  slot->source_ip = leftover.label.source_ip;
  slot->hostname = leftover.label.hostname;
  slot->image = kNoImage;  // it is in use: never warm again
  slot->image_reference = leftover.label.image;
  slot->sessions = std::move(leftover.label.sessions);
  slot->recordings = std::move(leftover.label.recordings);
  slot->state = SlotState::kClaimed;
  slots_.emplace(slot->id, slot);
  log_.info("pool: adopted sandbox {} of case {}", slot->id, slot->case_id);

  std::unique_ptr<CaseHold>& entry = cases_[slot->case_id];
  if (!entry) entry = std::make_unique<CaseHold>(executor_);
  if (slot->case_id.empty() || entry->slot) {
    retire(slot, "left over");
    forget_if_unused(slot->case_id);
    return;
  }
  entry->slot = slot;
  const base::Duration more =
      std::max<base::Duration>(kLeastAdopted - settings_.life.observe, base::Duration(0));
  const auto state = leftover.frozen ? cases::LifeState::kFrozen : cases::LifeState::kObserved;
  life_.add(slot->id, state, base::monotonic_now() + more);
  note(*slot, leftover.frozen ? cases::SandboxState::kFrozen : cases::SandboxState::kRunning);
}

net::Task<bool> SandboxPool::drain(Clock::time_point deadline) {
  draining_ = true;
  recheck_timer_.cancel();
  life_timer_.cancel();
  upkeep_timer_.cancel();
  refill_timer_.cancel();
  for (const auto& supply : supplies_) supply->timer.cancel();
  opened_signal_.notify();
  for (ClaimQueue* queue : {&queue_, &places_}) {
    queue->fail_all(base::Error{base::Errc::kUnavailable, "the pool is draining"});
  }
  warm_.clear();
  std::vector<SlotRef> all;
  for (const auto& [id, slot] : slots_) all.push_back(slot);
  for (const SlotRef& slot : all) {
    if (slot->state != SlotState::kStarting) retire(slot, "shutdown");
  }
  net::asio::steady_timer timer(executor_, deadline);
  timer.async_wait([this](boost::system::error_code aborted) {
    if (!aborted) gone_signal_.notify();
  });
  while (!slots_.empty() && Clock::now() < deadline) co_await gone_signal_.wait();
  co_return slots_.empty();
}

}  // namespace sandtrap::warden
