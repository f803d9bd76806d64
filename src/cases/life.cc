#include "cases/life.h"

#include <algorithm>

namespace sandtrap::cases {

std::size_t Life::count(LifeState state) const {
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(),
                    [state](const auto& one) { return one.second.state == state; }));
}

std::size_t Life::ending(bool was_frozen) const {
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(), [was_frozen](const auto& one) {
        return one.second.state == LifeState::kEnding && one.second.was_frozen == was_frozen;
      }));
}

std::size_t Life::running() const {
  return count(LifeState::kInUse) + count(LifeState::kObserved) + count(LifeState::kFreezing) +
         count(LifeState::kThawing) + ending(false) + reserved_;
}

std::size_t Life::frozen() const {
  return count(LifeState::kFrozen) + count(LifeState::kFreezing) + ending(true);
}

std::size_t Life::asleep() const {
  return count(LifeState::kFrozen) + ending(true);
}

std::uint64_t Life::frozen_memory() const {
  std::uint64_t bytes = 0;
  for (const auto& [id, one] : entries_) {
    if (one.state == LifeState::kFrozen) bytes += one.memory;
  }
  return bytes;
}

std::optional<LifeState> Life::state(const std::string& id) const {
  const auto it = entries_.find(id);
  return it == entries_.end() ? std::nullopt : std::optional(it->second.state);
}

bool Life::reserve() {
  if (running() >= settings_.max_running) return false;
  ++reserved_;
  return true;
}

void Life::unreserve() {
  if (reserved_ > 0) --reserved_;
}

void Life::add(const std::string& id, LifeState state, base::Instant now) {
  if (state == LifeState::kInUse) unreserve();
  entries_[id] = Entry{state, false, false, now, 0};
}

bool Life::use(const std::string& id) {
  const auto it = entries_.find(id);
  if (it == entries_.end()) return false;
  const LifeState now = it->second.state;
  if (now != LifeState::kInUse && now != LifeState::kObserved) return false;
  it->second.state = LifeState::kInUse;
  return true;
}

void Life::leave(const std::string& id, base::Instant now) {
  const auto it = entries_.find(id);
  if (it == entries_.end() || it->second.state != LifeState::kInUse) return;
  it->second.state = LifeState::kObserved;
  it->second.left = now;
}

bool Life::freeze(const std::string& id) {
  const auto it = entries_.find(id);
  if (it == entries_.end() || it->second.state != LifeState::kObserved) return false;
  if (frozen() >= settings_.max_frozen) return false;
  it->second.state = LifeState::kFreezing;
  return true;
}

void Life::froze(const std::string& id, std::uint64_t memory) {
  const auto it = entries_.find(id);
  if (it == entries_.end() || it->second.state != LifeState::kFreezing) return;
  it->second.state = LifeState::kFrozen;
  it->second.memory = memory;
}

bool Life::thaw(const std::string& id) {
  const auto it = entries_.find(id);
  if (it == entries_.end() || it->second.state != LifeState::kFrozen) return false;
  unreserve();
  it->second.state = LifeState::kThawing;
  it->second.memory = 0;
  return true;
}

void Life::set(const std::string& id, LifeState state) {
  const auto it = entries_.find(id);
  if (it != entries_.end()) it->second.state = state;
}

void Life::end(const std::string& id) {
  const auto it = entries_.find(id);
  if (it == entries_.end() || it->second.state == LifeState::kEnding) return;
  it->second.was_frozen = it->second.state == LifeState::kFrozen;
  it->second.state = LifeState::kEnding;
}

void Life::gone(const std::string& id) {
  entries_.erase(id);
}

void Life::want(const std::string& id, bool wanted) {
  const auto it = entries_.find(id);
  if (it != entries_.end()) it->second.wanted = wanted;
}

Life::Entries::iterator Life::longest(LifeState state) {
  auto found = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    if (it->second.state != state || it->second.wanted) continue;
    if (found == entries_.end() || it->second.left < found->second.left) found = it;
  }
  return found;
}

void Life::order_end(Entries::iterator it, const std::string& reason, bool evicted) {
  orders_.push_back({LifeOrder::Kind::kEnd, it->first, it->second.state, reason, evicted});
  end(it->first);
}

// An observed one goes to the frozen, or as soon as there is a place among them; or it is ended.
void Life::retire_one(Entries::iterator it, const std::string& reason, bool evicted) {
  if (!freezes()) return order_end(it, reason, evicted);
  if (frozen() < settings_.max_frozen) {
    orders_.push_back({LifeOrder::Kind::kFreeze, it->first, it->second.state, reason, evicted});
    it->second.state = LifeState::kFreezing;
    return;
  }
  const bool room_to_come = longest(LifeState::kFrozen) != entries_.end() ||
                            ending(true) > wanted_frozen_ || count(LifeState::kThawing) > 0;
  if (!room_to_come) return order_end(it, reason, evicted);
  ++wanted_frozen_;
}

void Life::end_kept(base::Instant now) {
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    if (it->second.state != LifeState::kFrozen || it->second.wanted) continue;
    if (now - it->second.left >= settings_.keep) order_end(it, "kept", false);
  }
}

void Life::freeze_observed(base::Instant now) {
  std::vector<Entries::iterator> due;
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    if (it->second.state != LifeState::kObserved || it->second.wanted) continue;
    if (now - it->second.left >= settings_.observe) due.push_back(it);
  }
  std::sort(due.begin(), due.end(),
            [](const auto& a, const auto& b) { return a->second.left < b->second.left; });
  for (const auto& it : due) retire_one(it, "observed", false);
}

void Life::make_room(std::size_t waiting, const std::string& why) {
  // What already leaves counts as room to come.
  std::size_t coming = count(LifeState::kFreezing) + ending(false) + wanted_frozen_;
  for (; coming < waiting; ++coming) {
    const auto it = longest(LifeState::kObserved);
    if (it == entries_.end()) return;
    const std::size_t before = wanted_frozen_;
    retire_one(it, why, true);
    // It waits for a place among the frozen: so would every other.
    if (wanted_frozen_ != before) {
      wanted_frozen_ = std::max(wanted_frozen_, waiting - coming);
      return;
    }
  }
}

void Life::make_frozen_room() {
  for (std::size_t coming = ending(true); coming < wanted_frozen_; ++coming) {
    const auto it = longest(LifeState::kFrozen);
    if (it == entries_.end()) break;
    order_end(it, "max_frozen", true);
  }
  while (frozen_memory() > settings_.max_frozen_memory) {
    const auto it = longest(LifeState::kFrozen);
    if (it == entries_.end()) break;
    order_end(it, "max_frozen_memory", true);
  }
}

std::vector<LifeOrder> Life::step(base::Instant now, std::size_t waiting, const std::string& why) {
  orders_.clear();
  wanted_frozen_ = 0;
  end_kept(now);
  freeze_observed(now);
  make_room(waiting, why);
  make_frozen_room();
  return std::move(orders_);
}

std::optional<base::Instant> Life::next() const {
  std::optional<base::Instant> first;
  for (const auto& [id, one] : entries_) {
    if (one.wanted) continue;
    std::optional<base::Instant> due;
    if (one.state == LifeState::kObserved) due = one.left + settings_.observe;
    if (one.state == LifeState::kFrozen) due = one.left + settings_.keep;
    if (due && (!first || *due < *first)) first = due;
  }
  return first;
}

}  // namespace sandtrap::cases
