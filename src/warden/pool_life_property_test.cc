// Random arrivals and departures of a few attackers, sandboxes that die, an engine that fails now
// and then or is away for a while, restarts of the warden. What must hold whatever happens:
//   no sandbox ever has two cases; a case finds its own disk, or it was told that it cannot
//   no budget is exceeded, by the pool's own count nor by what the engine has
//   no disk is lost: each is there exactly once in the end
//   nothing leaks: drained, there is nothing but what is preserved
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

#include "warden/pool_rig_test.h"

namespace sandtrap::warden {
namespace {

using namespace std::chrono_literals;

// Fails each `bad`-th time, and always while it is away.
struct Weather {
  unsigned bad = 2;
  bool away = false, well = false;
  unsigned not_restored = 0;
};

sandbox::FakeOptions options_for(Weather& weather) {
  sandbox::FakeOptions options;
  const auto fails = [&weather](unsigned n) {
    return !weather.well && (weather.away || n % weather.bad == 0);
  };
  options.create_fails = options.freeze_fails = options.thaw_fails = fails;
  options.preserve_fails = fails;
  options.shell = "/bin/sh";  // starts sooner
  options.restore_fails = [&weather, fails](unsigned n) {
    weather.not_restored += fails(n) ? 1U : 0U;
    return fails(n);
  };
  return options;
}

class World {
 public:
  World(PoolSettings wanted, unsigned bad)
      : weather_{bad}, settings_(std::move(wanted)), rig_(settings_, options_for(weather_)) {
    rig_.each_turn = [this] { check_budgets(); };
  }

  void step(int number) {
    if (number < 500 && (held_.size() < settings_.life.max_running || number % 9 == 0)) {
      visit(std::to_string(number % 6));
    } else if (number < 850) {
      leave(number);
    } else if (number < 900 && !held_.empty()) {
      rig_.pool->lost(some(number)->second);  // its first process ended
    } else if (number < 960) {
      weather_.away = number % 2 == 0;
    } else {
      held_.clear();  // the gate's sessions ended meanwhile
      rig_.restart();
    }
    rig_.until([] { return false; }, 2ms);
  }

  // The engine works again: everybody returns once more and finds his own.
  void end() {
    weather_.well = true;
    for (const auto& [session, slot] : held_) rig_.pool->release(cases_.at(session), session);
    held_.clear();
    PoolSettings patient = rig_.settings;
    patient.claim_timeout = 15s;
    rig_.pool->configure(patient);
    for (const auto& [id, disks] : disks_) {
      const auto answer = rig_.acquire(id, "last");
      RC_ASSERT(rig_.until([&a = *answer] { return a.arrived; }));
      RC_ASSERT(answer->slot.has_value());
      look_at_disk(*answer->slot, id);
      rig_.pool->release(id, "last");
    }
    drain();
    const auto there = rig_.disks();
    std::size_t all = 0;
    for (const auto& [id, disks] : disks_) {
      RC_ASSERT(there.count(id) == disks);
      all += disks;
    }
    RC_ASSERT(there.size() == all);
    const PoolRig::Found left = rig_.found();
    RC_ASSERT(left.all == 0U);
    RC_ASSERT(left.claimed == 0U);
    RC_ASSERT(rig_.pool->life().size() == 0U);
  }

 private:
  using Held = std::map<std::string, SlotRef>;  // session -> what it has

  Held::iterator some(int number) {
    return std::next(held_.begin(), number % static_cast<int>(held_.size()));
  }

  void visit(const std::string& source) {
    const std::string session = "s" + std::to_string(number_++);
    const std::string id = rig_.arrive(source);
    const auto answer = rig_.acquire(id, session);
    RC_ASSERT(rig_.until([&a = *answer] { return a.arrived; }));
    if (!answer->slot) return;  // all places are in use, or the engine is away
    const SlotRef slot = *answer->slot;
    look_at_disk(slot, id);
    RC_ASSERT(owners_.emplace(slot->id, id).first->second == id);
    held_[session] = slot;
    cases_[session] = id;
  }

  // It is his own, or his first, or his former one could not be started again.
  void look_at_disk(const SlotRef& slot, const std::string& id) {
    const std::string owner = rig_.owner(slot);
    if (!owner.empty()) RC_ASSERT(owner == id);
    if (!owner.empty()) return;
    replaced_ += disks_[id] > 0 ? 1U : 0U;
    RC_ASSERT(replaced_ <= weather_.not_restored);
    ++disks_[id];
    rig_.sign(slot);
  }

  void leave(int number) {
    if (held_.empty()) return;
    const auto it = some(number);
    rig_.pool->release(cases_.at(it->first), it->first);
    held_.erase(it);
  }

  void check_budgets() {
    const cases::Life& life = rig_.pool->life();
    RC_ASSERT(life.running() <= settings_.life.max_running);
    RC_ASSERT(life.frozen() <= settings_.life.max_frozen);
    RC_ASSERT(rig_.pool->total() <= settings_.max_total);
    const PoolRig::Found found = rig_.found();
    RC_ASSERT(found.all <= settings_.max_total + settings_.life.max_frozen);
    RC_ASSERT(found.claimed - found.frozen <= settings_.life.max_running);
    RC_ASSERT(found.claimed <= settings_.life.max_running + settings_.life.max_frozen);
    for (const auto& [session, slot] : held_) RC_ASSERT(slot->case_id == cases_.at(session));
  }

  void drain() {
    bool drained = false, empty = false;
    co_spawn(
        *rig_.loop,
        [](SandboxPool* pool, bool* nothing, bool* done) -> net::Task<void> {
          *nothing = co_await pool->drain(std::chrono::steady_clock::now() + 20s);
          *done = true;
        }(rig_.pool.get(), &empty, &drained),
        net::asio::detached);
    rig_.until([&] { return drained; }, 30s);
    RC_ASSERT(empty);
  }

  Weather weather_;
  PoolSettings settings_;
  PoolRig rig_;
  Held held_;
  std::map<std::string, std::string> cases_;   // session -> case
  std::map<std::string, std::string> owners_;  // sandbox -> case, for ever
  std::map<std::string, std::size_t> disks_;   // case -> how many it has had
  unsigned replaced_ = 0;                      // machines that took the place of another
  int number_ = 0;
};

TEST(PoolLifeProperty, EveryCaseFindsItsOwnAndNothingIsLost) {
  EXPECT_TRUE(rc::check([] {
    const auto running = *rc::gen::inRange<std::size_t>(1, 4);
    const auto frozen = *rc::gen::inRange<std::size_t>(0, 3);
    const auto steps =
        *rc::gen::resize(20, rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 1000)));
    PoolSettings settings =
        life_settings(std::chrono::milliseconds(*rc::gen::inRange(0, 3)),
                      std::chrono::milliseconds(*rc::gen::inRange(0, 8)), running, frozen);
    settings.size = *rc::gen::inRange(0U, 3U);
    settings.max_total = *rc::gen::inRange<std::uint32_t>(static_cast<std::uint32_t>(running), 6U);
    settings.claim_timeout = 20ms;
    settings.restore_patience = std::chrono::milliseconds(*rc::gen::element(0, 2, 60000));
    World world(settings, *rc::gen::inRange(2U, 9U));
    for (const int step : steps) world.step(step);
    world.end();
  }));
}

}  // namespace
}  // namespace sandtrap::warden
