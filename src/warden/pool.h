// The sandbox pool: from `size` to `size_max` verified warm sandboxes, as demand.h says, shared out
// between the guest images; at most `max_total` altogether, at most one per case. Single-threaded
// (the warden's loop): a claim is atomic because it takes the sandbox off the warm list and marks
// it in one step without a suspension in between.
//
// A case holds its sandbox by its sessions. When the last one lets go, cases::Life says what comes:
// it is observed, frozen, at last preserved (or destroyed); a return takes it back from each of
// these. Everything that starts, runs or is being put away counts against max_total; what is frozen
// does not.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/entropy.h"
#include "base/log.h"
#include "cases/life.h"
#include "cases/table.h"
#include "config/settings.h"
#include "event/event_log.h"
#include "warden/claim_queue.h"
#include "warden/demand.h"
#include "warden/image_choice.h"
#include "warden/slot.h"
#include "warden/tasks.h"

namespace sandtrap::warden {

struct PoolSettings {
  std::string engine = "fake";
  std::uint32_t size = 3, size_max = 0, max_total = 50, refill_concurrency = 2, claim_queue = 64;
  std::vector<config::PoolImage> images;  // none: the engine's own
  std::chrono::milliseconds warm_max_age{6 * 3600 * 1000}, status_interval{60000};
  std::chrono::milliseconds upkeep{1000};  // surplus and stale ones are looked for this often
  std::chrono::milliseconds claim_timeout{15000}, start_timeout{30000}, verify_timeout{10000};
  std::chrono::milliseconds account_timeout{3000};  // for an answer of a machine's accounts
  cases::LifeSettings life;
  std::chrono::milliseconds backoff_first{500}, backoff_most{30000};
  std::chrono::milliseconds restore_patience{120000};  // with an engine that is away
  std::chrono::milliseconds recheck{30000};  // one warm sandbox is verified again this often
  bool preserve = true;
  sandbox::Limits limits;
  std::vector<std::string> hostnames;  // one is drawn for each sandbox
};
PoolSettings pool_settings(const config::Settings& settings);

struct Claimant {
  std::string case_id, source_ip, session;
  std::uint16_t source_port = 0;
  std::string user = {};  // logged in as; may decide the image
};

class SandboxPool {
 public:
  // All references outlive the pool. `cases`: where it looks for, and notes, each case's sandbox.
  SandboxPool(net::asio::any_io_executor executor, sandbox::Engine& engine, PoolSettings settings,
              cases::Table& cases, event::EventLog& events, base::Entropy& entropy, base::Log& log);

  // Starts to fill. `leftovers` are the claimed sandboxes of an earlier run.
  void open(std::vector<sandbox::Leftover> leftovers);
  // Called once, when the first sandbox is warm (or `size` is 0).
  void on_ready(std::function<void()> callback) { on_ready_ = std::move(callback); }
  // Called for each preserved sandbox, and when one is taken to be started again.
  void on_preserved(
      std::function<void(const sandbox::Label&, const sandbox::Preserved&)> callback) {
    on_preserved_ = std::move(callback);
  }
  void on_restoring(std::function<void(const std::string& reference)> callback) {
    on_restoring_ = std::move(callback);
  }

  // The case's sandbox, claimed now if it has none; `who.session` holds it until release().
  // Parallel calls for one case get the same one. kLimit and kTimeout: refuse the attacker.
  net::Task<base::Result<SlotRef>> acquire(Claimant who, std::shared_ptr<const Interest> interest);
  // Holds the case's sandbox only if it has one already (a session that survived the old warden).
  bool resume(const Claimant& who);
  void release(const std::string& case_id, const std::string& session);
  // acquire() would give the case a machine that it had before.
  bool has_machine(const std::string& case_id) const;
  void add_recording(const std::string& case_id, std::string path);
  // The engine says this sandbox is gone (its pid 1 died): it leaves its case.
  void lost(const SlotRef& slot);

  // By hand, for a case without sessions; kDenied, kNotFound, kLimit otherwise.
  net::Task<base::Status> freeze(std::string case_id);
  net::Task<base::Status> thaw(std::string case_id);
  net::Task<base::Status> stop(std::string case_id, bool drop);

  void configure(PoolSettings settings);
  // No more claims; destroys the warm, preserves the claimed. True: nothing is left.
  net::Task<bool> drain(std::chrono::steady_clock::time_point deadline);

  std::size_t total() const { return slots_.size() - life_.asleep(); }  // against max_total
  const cases::Life& life() const { return life_; }
  std::size_t warm() const { return warm_.size(); }
  std::size_t starting() const { return starting_; }
  std::size_t waiting() const { return queue_.size(); }
  const PoolSettings& settings() const { return settings_; }
  event::PoolStatus status(base::Instant now) const;

 private:
  struct CaseHold {
    explicit CaseHold(const net::asio::any_io_executor& executor) : changed(executor) {}
    SlotRef slot;           // null while `claiming`
    bool claiming = false;  // one of the case's sessions is at it; the others wait for `changed`
    std::size_t waiting = 0;
    Signal changed;  // its slot has another state, or is gone
  };
  using Deadline = ClaimQueue::Deadline;
  // What a login leads to, a replacement and more on the label, takes processor and disk: not in
  // the moment in which the attacker's shell starts.
  static constexpr std::chrono::milliseconds kAfterClaim{50}, kLabelDelay{1000};

  // pool.cc: the claim side
  net::Task<base::Result<SlotRef>> claim(Claimant who, Deadline deadline,
                                         std::shared_ptr<const Interest> interest);
  net::Task<bool> await_opening(Deadline deadline);
  SlotRef take_warm(const ImageWish& wish);
  net::Task<base::Result<SlotRef>> provide(Claimant who, Deadline deadline,
                                           std::shared_ptr<const Interest> interest, bool& warm);
  net::Task<base::Status> await_change(CaseHold& hold, std::string case_id, Deadline deadline);
  SlotRef hold(CaseHold& hold, const Claimant& who, bool warm, bool returning,
               base::Duration waited);
  void forget_if_unused(const std::string& case_id);

  // pool_fill.cc: making warm ones
  void refill();
  void refill_soon();
  void order_one(std::size_t image);
  std::vector<ImageStock> stock(base::Instant now) const;
  void ended_start(Slot& slot);
  net::Task<void> start_one(SlotRef slot);
  void arm(const SlotRef& slot, std::chrono::milliseconds time);
  void started(const SlotRef& slot);
  void start_failed(const SlotRef& slot, const base::Error& error);
  void back_off(std::size_t image, const base::Error& error);
  void place(const SlotRef& slot);
  net::Task<void> recheck_loop();
  net::Task<void> recheck(SlotRef slot);

  // pool_life.cc: observed, frozen, restored
  net::Task<base::Status> reserve(Deadline deadline, std::shared_ptr<const Interest> interest);
  void unreserve();
  void look_after();
  void carry_out(const cases::LifeOrder& order);
  net::Task<void> freeze_slot(SlotRef slot, std::string reason);
  net::Task<base::Status> thaw_slot(SlotRef slot);
  net::Task<base::Status> make_way(Deadline deadline);
  net::Task<base::Result<SlotRef>> restore(Claimant who);
  bool gave_up(const Slot& slot, const base::Error& error);
  net::Task<base::Status> start_again(SlotRef slot, std::string reference);
  void note(const Slot& slot, cases::SandboxState state, std::string reference = {},
            std::uint64_t bytes = 0);
  bool has_preserved(const std::string& case_id) const;
  SlotRef slot_of(const std::string& case_id) const;
  void changed(const Slot& slot);
  // pool_upkeep.cc: surplus, stale ones, other images, status
  net::Task<void> upkeep_loop();
  void trim(base::Instant now, bool all);
  void recheck_all();
  void use_images(const std::vector<config::PoolImage>& images);
  void report();

  // pool_retire.cc: letting go
  void retire(const SlotRef& slot, std::string reason);
  void retire_next();
  net::Task<base::Result<sandbox::Preserved>> preserve_patiently(SlotRef slot,
                                                                 sandbox::Label label);
  net::Task<void> retire_one(SlotRef slot, std::string reason, bool keep);
  void mark(const SlotRef& slot);
  void mark_later(const SlotRef& slot);
  net::Task<void> mark_loop(SlotRef slot);
  void adopt(sandbox::Leftover leftover);
  void gone(const SlotRef& slot);
  void emit(const Slot& slot, const event::Body& body, const Claimant* who = nullptr);

  net::asio::any_io_executor executor_;
  sandbox::Engine& engine_;
  PoolSettings settings_;
  cases::Table& book_;
  event::EventLog& events_;
  base::Entropy& entropy_;
  base::Log& log_;
  Tasks tasks_;

  std::unordered_map<std::string, SlotRef> slots_;  // everything there is, by sandbox id
  std::deque<SlotRef> warm_;                        // longest ready first
  std::unordered_map<std::string, std::unique_ptr<CaseHold>> cases_;
  cases::Life life_;
  ClaimQueue queue_, places_;  // who waits for a warm one; for a place among the running
  std::deque<std::pair<SlotRef, std::string>> to_retire_;
  std::unordered_map<std::string, base::Instant> unrestored_;  // sandboxes: since when
  std::size_t starting_ = 0, retiring_ = 0;
  std::size_t making_way_ = 0;  // who waits for room below max_total for a sandbox of his own
  bool opened_ = false, draining_ = false, ready_ = false;
  net::asio::steady_timer recheck_timer_, life_timer_, upkeep_timer_, refill_timer_;
  bool refill_armed_ = false;
  Demand demand_;
  ImageChoice images_;
  struct Supply {  // of one image
    explicit Supply(const net::asio::any_io_executor& executor) : timer(executor) {}
    std::uint32_t starting = 0;
    unsigned failures = 0;  // in a row
    bool backing_off = false;
    net::asio::steady_timer timer;
  };
  std::vector<std::shared_ptr<Supply>> supplies_;  // by image; shared with their timers
  struct Counters {
    std::uint64_t started = 0, failed = 0, claimed = 0, claimed_warm = 0, refused = 0, recycled = 0;
  } counters_;
  base::Instant reported_at_{};
  std::string reported_;  // the line of the last report
  Signal opened_signal_, gone_signal_;
  std::function<void()> on_ready_;
  std::function<void(const sandbox::Label&, const sandbox::Preserved&)> on_preserved_;
  std::function<void(const std::string&)> on_restoring_;
};

}  // namespace sandtrap::warden
