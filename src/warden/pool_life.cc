// The pool carries out what cases::Life orders: freezing, thawing, restoring, making room.
#include <algorithm>

#include "warden/pool.h"

namespace sandtrap::warden {
namespace {

using Clock = std::chrono::steady_clock;
using cases::LifeState;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

// What waits for room is looked after when something changes; this is only a net below it.
constexpr milliseconds kShortestNap{50};
constexpr std::size_t kMaxUnrestored = 1000;

std::uint64_t micros_since(base::Instant begun) {
  const auto passed = base::monotonic_now() - begun;
  return static_cast<std::uint64_t>(duration_cast<std::chrono::microseconds>(passed).count());
}

}  // namespace

SlotRef SandboxPool::slot_of(const std::string& case_id) const {
  const auto it = cases_.find(case_id);
  return it == cases_.end() ? nullptr : it->second->slot;
}

bool SandboxPool::has_preserved(const std::string& case_id) const {
  const cases::Case* known = book_.find(case_id);
  return known != nullptr && known->sandbox.state == cases::SandboxState::kPreserved;
}

void SandboxPool::changed(const Slot& slot) {
  const auto it = cases_.find(slot.case_id);
  if (it != cases_.end()) it->second->changed.notify();
}

void SandboxPool::note(const Slot& slot, cases::SandboxState state, std::string reference,
                       std::uint64_t bytes) {
  if (slot.case_id.empty()) return;
  book_.note(slot.case_id, {state == cases::SandboxState::kNone ? "" : slot.id, state,
                            std::move(reference), bytes});
}

// Served in order: who comes later does not overtake those who wait.
net::Task<base::Status> SandboxPool::reserve(Deadline deadline,
                                             std::shared_ptr<const Interest> interest) {
  if (places_.empty() && life_.reserve()) co_return base::Status{};
  net::asio::steady_timer soon(executor_, Clock::now());
  soon.async_wait([this](boost::system::error_code aborted) {
    if (!aborted) look_after();  // counts us as a waiter by then
  });
  auto granted = co_await places_.wait(settings_.claim_queue, deadline, std::move(interest));
  if (!granted) co_return tl::unexpected(granted.error());
  co_return base::Status{};
}

void SandboxPool::unreserve() {
  life_.unreserve();
  look_after();
}

// The one place where time and pressure become orders. Call it whenever something has changed.
void SandboxPool::look_after() {
  if (draining_ || !opened_) return;
  while (!places_.empty() && life_.reserve()) {
    if (!places_.grant(nullptr)) life_.unreserve();
  }
  // Who waits for a warm sandbox, or for his own to come back, waits for room below max_total.
  const bool full = total() >= settings_.max_total;
  const std::size_t coming = starting_ + retiring_ + to_retire_.size();
  const std::size_t wanting = queue_.size() + making_way_;
  const std::size_t starved = full && wanting > coming ? wanting - coming : 0;
  const bool places = places_.size() >= starved;
  const auto orders = life_.step(base::monotonic_now(), places ? places_.size() : starved,
                                 places ? "max_running" : "max_total");
  for (const cases::LifeOrder& order : orders) carry_out(order);
  const auto next = life_.next();
  if (!next) return life_timer_.cancel(), void();
  const auto nap = std::max<base::Duration>(*next - base::monotonic_now(), kShortestNap);
  life_timer_.expires_after(duration_cast<Clock::duration>(nap));
  life_timer_.async_wait([this](boost::system::error_code aborted) {
    if (!aborted) look_after();
  });
}

void SandboxPool::carry_out(const cases::LifeOrder& order) {
  const auto it = slots_.find(order.sandbox);
  if (it == slots_.end()) return life_.gone(order.sandbox);
  const SlotRef slot = it->second;
  if (order.evicted) {
    emit(*slot,
         event::SandboxEvicted{slot->id, order.was == LifeState::kFrozen ? "frozen" : "observed",
                               order.reason});
  }
  if (order.kind == cases::LifeOrder::Kind::kFreeze) {
    tasks_.spawn("freeze sandbox", freeze_slot(slot, order.reason));
  } else {
    retire(slot, order.reason);
  }
}

net::Task<void> SandboxPool::freeze_slot(SlotRef slot, std::string reason) {
  const base::Instant begun = base::monotonic_now();
  const base::Status frozen = co_await slot->sandbox->freeze();
  if (slot->state == SlotState::kRetiring) co_return;  // lost, or the end of everything
  if (!frozen) {
    log_.warn("pool: freeze sandbox {}: {}", slot->id, frozen.error().context);
    retire(slot, "could not be frozen");
    co_return;
  }
  const std::uint64_t took = micros_since(begun);
  const std::uint64_t memory = (co_await slot->sandbox->memory()).value_or(0);
  if (slot->state == SlotState::kRetiring) co_return;
  life_.froze(slot->id, memory);
  emit(*slot, event::SandboxFrozen{slot->id, reason, memory, took});
  note(*slot, cases::SandboxState::kFrozen, {}, memory);
  changed(*slot);
  look_after();
  refill();
}

net::Task<base::Status> SandboxPool::thaw_slot(SlotRef slot) {
  const base::Instant begun = base::monotonic_now();
  const base::Status thawed = co_await slot->sandbox->thaw();
  if (slot->state == SlotState::kRetiring) co_return base::fail(base::Errc::kClosed, "lost");
  if (!thawed) {
    log_.warn("pool: thaw sandbox {}: {}", slot->id, thawed.error().context);
    lost(slot);
    co_return thawed;
  }
  life_.thawed(slot->id);
  emit(*slot, event::SandboxThawed{slot->id, micros_since(begun)});
  note(*slot, cases::SandboxState::kRunning);
  co_return base::Status{};
}

// Thawing and restoring add one to those below max_total: a warm one gives way to it, or one that
// is observed; and nothing new is started in its place meanwhile.
net::Task<base::Status> SandboxPool::make_way(Deadline deadline) {
  net::asio::steady_timer timer(executor_, deadline);
  timer.async_wait([this](boost::system::error_code aborted) {
    if (!aborted) gone_signal_.notify();
  });
  ++making_way_;
  while (total() >= settings_.max_total && !draining_ && Clock::now() < deadline) {
    const bool comes = retiring_ + to_retire_.size() >= making_way_;
    if (const SlotRef warm = comes ? nullptr : take_warm({})) {
      retire(warm, "its place is needed");
    } else {
      look_after();
    }
    // What needs no wait may have happened already.
    if (total() >= settings_.max_total) co_await gone_signal_.wait();
  }
  --making_way_;
  if (draining_) co_return base::fail(base::Errc::kUnavailable, "the pool is draining");
  if (total() >= settings_.max_total) co_return base::fail(base::Errc::kTimeout, "no room in time");
  co_return base::Status{};
}

// The case's own disk in a running sandbox. Null: it has none, or it does not start, and that is
// final. An error: not now; an engine that is away for a moment must not cost the case its machine.
net::Task<base::Result<SlotRef>> SandboxPool::restore(Claimant who) {
  if (!has_preserved(who.case_id)) co_return SlotRef();
  const cases::SandboxNote kept = book_.find(who.case_id)->sandbox;
  auto slot = std::make_shared<Slot>(executor_);
  slot->id = kept.id;
  slot->image = kNoImage;  // it is in use: never warm again
  slot->ordered = base::monotonic_now();
  slot->created = slot->claimed = base::wall_now();
  if (!slots_.emplace(slot->id, slot).second) co_return SlotRef();
  if (on_restoring_) on_restoring_(kept.reference);
  const base::Status started = co_await start_again(slot, kept.reference);
  slot->case_id = who.case_id;
  slot->source_ip = who.source_ip;
  if (started) {
    unrestored_.erase(slot->id);
    slot->state = SlotState::kClaimed;
    slot->checked = base::monotonic_now();
    emit(*slot, event::SandboxRestored{slot->id, settings_.engine, micros_since(slot->ordered)});
    co_return slot;
  }
  sandbox::Label label;
  label.sandbox = slot->id;
  label.case_id = slot->case_id;
  label.source_ip = slot->source_ip;
  if (on_preserved_) on_preserved_(label, {kept.reference, kept.bytes});
  const bool final = gave_up(*slot, started.error());
  if (final) {
    log_.error("pool: restore sandbox {}: {}", slot->id, started.error().context);
    emit(*slot, event::SandboxNotRestored{slot->id, kept.reference, started.error().context});
    book_.note(who.case_id, {});  // it stays as evidence; the case goes on with another machine
  }
  slots_.erase(slot->id);
  gone_signal_.notify();
  if (final) co_return SlotRef();
  co_return tl::unexpected(started.error());
}

// Whether a sandbox that could not be started again is given up on.
bool SandboxPool::gave_up(const Slot& slot, const base::Error& error) {
  if (draining_) return false;
  const bool away = error.code == base::Errc::kUnavailable || error.code == base::Errc::kTimeout;
  if (unrestored_.size() >= kMaxUnrestored) unrestored_.clear();
  const base::Instant now = base::monotonic_now();
  const base::Instant since = unrestored_.emplace(slot.id, now).first->second;
  if (away && now - since < settings_.restore_patience) {
    log_.warn("pool: restore sandbox {}: {}; not yet given up", slot.id, error.context);
    return false;
  }
  unrestored_.erase(slot.id);
  return true;
}

net::Task<base::Status> SandboxPool::start_again(SlotRef slot, std::string reference) {
  auto made = co_await engine_.restore(std::move(reference), slot->id, settings_.limits);
  if (!made) co_return tl::unexpected(made.error());
  slot->sandbox = std::move(made->sandbox);
  slot->hostname = made->label.hostname;
  slot->image_reference = made->label.image;
  slot->sessions = made->label.sessions;
  slot->recordings = made->label.recordings;
  const base::Status verified = co_await slot->sandbox->verify();
  if (verified && !draining_) co_return base::Status{};
  // It is the only copy of the disk: back to where it was.
  const auto kept = co_await slot->sandbox->preserve(made->label);
  if (!kept) log_.error("pool: preserve sandbox {}: {}", slot->id, kept.error().context);
  if (!verified) co_return tl::unexpected(verified.error());
  co_return base::fail(base::Errc::kUnavailable, "the pool is draining");
}

net::Task<base::Status> SandboxPool::freeze(std::string case_id) {
  const SlotRef slot = slot_of(case_id);
  if (!slot) co_return base::fail(base::Errc::kNotFound, "the case has no running sandbox");
  if (!slot->holders.empty()) co_return base::fail(base::Errc::kDenied, "sessions are in it");
  if (!life_.freeze(slot->id))
    co_return base::fail(base::Errc::kLimit, "it is not observed now, or max_frozen is reached");
  co_await freeze_slot(slot, "by hand");
  if (life_.state(slot->id) == LifeState::kFrozen) co_return base::Status{};
  co_return base::fail(base::Errc::kUnavailable, "it could not be frozen");
}

net::Task<base::Status> SandboxPool::thaw(std::string case_id) {
  const SlotRef slot = slot_of(case_id);
  if (!slot || life_.state(slot->id) != LifeState::kFrozen)
    co_return base::fail(base::Errc::kNotFound, "the case has no frozen sandbox");
  if (!life_.reserve()) co_return base::fail(base::Errc::kLimit, "max_running is reached");
  if (!life_.thaw(slot->id)) co_return base::fail(base::Errc::kNotFound, "it is not frozen");
  const base::Status thawed = co_await thaw_slot(slot);
  changed(*slot);
  if (thawed && slot->holders.empty()) life_.leave(slot->id, base::monotonic_now());
  look_after();
  co_return thawed;
}

net::Task<base::Status> SandboxPool::stop(std::string case_id, bool drop) {
  const SlotRef slot = slot_of(case_id);
  if (!slot) co_return base::fail(base::Errc::kNotFound, "the case has no running sandbox");
  const auto state = life_.state(slot->id);
  if (!slot->holders.empty() || state == LifeState::kInUse || state == LifeState::kThawing)
    co_return base::fail(base::Errc::kDenied, "sessions are in it");
  slot->drop = drop;
  retire(slot, "by hand");
  while (slots_.contains(slot->id) && !draining_) co_await gone_signal_.wait();
  co_return base::Status{};
}

}  // namespace sandtrap::warden
