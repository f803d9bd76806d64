// One sandbox in the pool's care, from the order to create it until nothing is left of it.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/instant.h"
#include "net/task.h"
#include "sandbox/engine.h"
#include "warden/tasks.h"

namespace sandtrap::warden {

//   kStarting --verified--> kWarm --claim--> kClaimed --> kRetiring --> gone
//       |                     |                              ^
//       +---- failed ---------+------------------------------+
// Whether a claimed one is in use, observed or frozen: cases::Life knows.
enum class SlotState { kStarting, kWarm, kClaimed, kRetiring };

inline constexpr std::size_t kNoImage = SIZE_MAX;

struct Slot {
  explicit Slot(const net::asio::any_io_executor& executor)
      : deadline(executor), relabel(executor), labelled(executor) {}

  SlotState state = SlotState::kStarting;
  std::string id;
  std::unique_ptr<sandbox::Sandbox> sandbox;  // null while it is created
  bool overdue = false;                       // missed a deadline while starting
  base::Instant ordered, checked;
  base::Instant expires;  // while warm: to be replaced then
  std::size_t image = 0;  // of the pool's; kNoImage once the settings have others
  std::string image_name, image_reference;
  base::WallTime created, claimed;
  std::string case_id, source_ip, hostname;
  bool drop = false;                               // nothing of it is to be kept
  std::set<std::string> holders;                   // sessions that use it now
  std::vector<std::string> sessions, recordings;   // ever; bounded
  bool labelling = false, label_is_stale = false;  // mark_claimed() is under way / to be repeated
  bool relabelling = false;                        // `relabel` runs
  net::asio::steady_timer deadline, relabel;
  Signal labelled;
};

// Shared between the pool and the coroutines that run a process in it: the Sandbox must outlive an
// exec() that is under way when the pool lets go.
using SlotRef = std::shared_ptr<Slot>;

}  // namespace sandtrap::warden
