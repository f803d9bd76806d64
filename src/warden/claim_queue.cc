#include "warden/claim_queue.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>

namespace sandtrap::warden {

net::Task<base::Result<SlotRef>> ClaimQueue::wait(std::size_t limit, Deadline deadline,
                                                  std::shared_ptr<const Interest> interest,
                                                  ImageWish wish) {
  if (waiters_.size() >= limit) co_return base::fail(base::Errc::kLimit, "claim queue is full");
  auto executor = co_await net::asio::this_coro::executor;
  auto waiter = std::make_shared<Waiter>(
      Waiter{net::asio::steady_timer(executor, deadline), std::move(interest), wish, std::nullopt});
  waiters_.push_back(waiter);
  co_await waiter->timer.async_wait(net::use_ec);
  if (waiter->answer) co_return *std::move(waiter->answer);
  std::erase(waiters_, waiter);
  co_return base::fail(base::Errc::kTimeout, "no sandbox in time");
}

bool ClaimQueue::grant(const SlotRef& slot) {
  const std::size_t image = slot ? slot->image : 0;
  for (auto it = waiters_.begin(); it != waiters_.end();) {
    const std::shared_ptr<Waiter> one = *it;
    const bool lost = one->interest && one->interest->lost;
    if (!lost && !accepts(one->wish, image)) {
      ++it;
      continue;
    }
    it = waiters_.erase(it);
    one->timer.cancel();
    if (!lost) {
      one->answer = slot;
      return true;
    }
    one->answer = base::fail(base::Errc::kClosed, "the session ended");
  }
  return false;
}

std::vector<ImageWish> ClaimQueue::wishes() const {
  std::vector<ImageWish> out;
  for (const std::shared_ptr<Waiter>& one : waiters_) {
    if (!one->interest || !one->interest->lost) out.push_back(one->wish);
  }
  return out;
}

void ClaimQueue::fail_all(const base::Error& error) {
  while (!waiters_.empty()) {
    waiters_.front()->answer = tl::unexpected(error);
    waiters_.front()->timer.cancel();
    waiters_.pop_front();
  }
}

}  // namespace sandtrap::warden
