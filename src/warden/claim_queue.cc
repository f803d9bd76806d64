#include "warden/claim_queue.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>

namespace sandtrap::warden {

net::Task<base::Result<SlotRef>> ClaimQueue::wait(std::size_t limit, Deadline deadline,
                                                  std::shared_ptr<const Interest> interest) {
  if (waiters_.size() >= limit) co_return base::fail(base::Errc::kLimit, "claim queue is full");
  auto executor = co_await net::asio::this_coro::executor;
  auto waiter = std::make_shared<Waiter>(
      Waiter{net::asio::steady_timer(executor, deadline), std::move(interest), std::nullopt});
  waiters_.push_back(waiter);
  co_await waiter->timer.async_wait(net::use_ec);
  if (waiter->answer) co_return *std::move(waiter->answer);
  std::erase(waiters_, waiter);
  co_return base::fail(base::Errc::kTimeout, "no sandbox in time");
}

bool ClaimQueue::grant(const SlotRef& slot) {
  while (!waiters_.empty()) {
    const std::shared_ptr<Waiter> first = std::move(waiters_.front());
    waiters_.pop_front();
    first->timer.cancel();
    if (first->interest && first->interest->lost) {
      first->answer = base::fail(base::Errc::kClosed, "the session ended");
      continue;
    }
    first->answer = slot;
    return true;
  }
  return false;
}

void ClaimQueue::fail_all(const base::Error& error) {
  while (!waiters_.empty()) {
    waiters_.front()->answer = tl::unexpected(error);
    waiters_.front()->timer.cancel();
    waiters_.pop_front();
  }
}

}  // namespace sandtrap::warden
