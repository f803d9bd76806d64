// Those who wait for a sandbox, first come first served, bounded, each with a deadline.
// Single-threaded: a grant reaches exactly one waiter because it leaves the queue in the same step.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>

#include "base/error.h"
#include "net/task.h"
#include "warden/image_choice.h"
#include "warden/slot.h"

namespace sandtrap::warden {

// Set by whoever asked, when the answer is no longer wanted.
struct Interest {
  bool lost = false;
};

class ClaimQueue {
 public:
  using Deadline = net::asio::steady_timer::time_point;

  // kLimit: the queue is full; kTimeout; kClosed: no longer wanted; kUnavailable: fail_all().
  net::Task<base::Result<SlotRef>> wait(std::size_t limit, Deadline deadline,
                                        std::shared_ptr<const Interest> interest,
                                        ImageWish wish = {});
  // Gives `slot` to the first waiter who still wants one of its image; false: there is none.
  bool grant(const SlotRef& slot);
  void fail_all(const base::Error& error);
  std::size_t size() const { return waiters_.size(); }
  bool empty() const { return waiters_.empty(); }
  std::vector<ImageWish> wishes() const;  // in their order, of those who still wait

 private:
  struct Waiter {
    net::asio::steady_timer timer;
    std::shared_ptr<const Interest> interest;
    ImageWish wish;
    std::optional<base::Result<SlotRef>> answer;
  };
  // Shared with the waiting coroutine: the queue may be destroyed before it is.
  std::deque<std::shared_ptr<Waiter>> waiters_;
};

}  // namespace sandtrap::warden
