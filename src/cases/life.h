// The life of the sandboxes that belong to cases, as a table of states and the orders that follow
// from time and budgets. Pure: time comes in, the pool carries the orders out and tells how it
// went.
//
//            use()                     froze()
//   kInUse <------- kObserved -----> kFreezing -----> kFrozen ---> kEnding ---> gone
//      |  leave()       ^  |                             |            ^
//      +----------------+  +-----------------------------|------------+
//      ^                                 thaw()          |
//      +--------------- kThawing <-----------------------+
//
// Order of eviction. For a running place: the one observed for longest is frozen. For a place among
// the frozen, or their memory: the one used longest ago is ended, that is preserved. Where nothing
// may be frozen, the one observed for longest is ended. One in use, or whose case waits for it,
// never is.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.h"

namespace sandtrap::cases {

struct LifeSettings {
  base::Duration observe = std::chrono::minutes(5), keep = std::chrono::hours(24);
  std::size_t max_running = 50, max_frozen = 100;
  std::uint64_t max_frozen_memory = 4ULL << 30;
};

enum class LifeState : std::uint8_t { kInUse, kObserved, kFreezing, kFrozen, kThawing, kEnding };

struct LifeOrder {
  enum class Kind { kFreeze, kEnd } kind = Kind::kFreeze;
  std::string sandbox;
  LifeState was = LifeState::kObserved;
  std::string reason;    // "observed", "kept", or the budget
  bool evicted = false;  // earlier than its time
};

class Life {
 public:
  explicit Life(LifeSettings settings) : settings_(settings) {}

  // A running place for a sandbox to come; add() or thaw() with it, or unreserve(). False: none.
  bool reserve();
  void unreserve();

  // kInUse takes a reserved place; kObserved and kFrozen are what an earlier run left.
  void add(const std::string& id, LifeState state, base::Instant now);
  bool use(const std::string& id);  // false: it is neither in use nor observed
  void leave(const std::string& id, base::Instant now);
  bool freeze(const std::string& id);  // by hand, of an observed one: the caller carries it out
  void froze(const std::string& id, std::uint64_t memory);
  bool thaw(const std::string& id);  // of a frozen one, into a reserved place
  void thawed(const std::string& id) { set(id, LifeState::kInUse); }
  void end(const std::string& id);
  void gone(const std::string& id);
  // The case waits for it: it is not to be evicted.
  void want(const std::string& id, bool wanted);

  // What is due now; the states have changed accordingly. `waiting`: who waits for a place, and
  // what for ("max_running").
  std::vector<LifeOrder> step(base::Instant now, std::size_t waiting, const std::string& why);
  // When step() has something to do by itself.
  std::optional<base::Instant> next() const;

  void configure(LifeSettings settings) { settings_ = settings; }
  const LifeSettings& settings() const { return settings_; }
  std::optional<LifeState> state(const std::string& id) const;
  std::size_t running() const;  // places taken, reserved ones included
  std::size_t frozen() const;   // places among the frozen taken
  std::size_t asleep() const;   // that hold no processor: frozen, or ended while frozen
  std::uint64_t frozen_memory() const;
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    LifeState state = LifeState::kInUse;
    bool was_frozen = false;  // of kEnding
    bool wanted = false;
    base::Instant left;  // the last session's end
    std::uint64_t memory = 0;
  };
  using Entries = std::map<std::string, Entry>;

  void set(const std::string& id, LifeState state);
  bool freezes() const { return settings_.keep.count() > 0 && settings_.max_frozen > 0; }
  std::size_t count(LifeState state) const;
  std::size_t ending(bool was_frozen) const;
  Entries::iterator longest(LifeState state);
  void order_end(Entries::iterator it, const std::string& reason, bool evicted);
  void retire_one(Entries::iterator it, const std::string& reason, bool evicted);
  void end_kept(base::Instant now);
  void freeze_observed(base::Instant now);
  void make_room(std::size_t waiting, const std::string& why);
  void make_frozen_room();

  LifeSettings settings_;
  Entries entries_;
  std::size_t reserved_ = 0;
  std::size_t wanted_frozen_ = 0;  // in this step: who found no place among the frozen
  std::vector<LifeOrder> orders_;
};

}  // namespace sandtrap::cases
