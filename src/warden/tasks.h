// Owner of coroutines that run beside their creator (house style §7): counts them, logs what they
// throw, and tells when the last has ended. One per object that spawns; lives on the warden's loop.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>

#include "base/log.h"
#include "net/task.h"

namespace sandtrap::warden {

class Tasks {
 public:
  Tasks(net::asio::any_io_executor executor, base::Log& log);

  void spawn(std::string what, net::Task<void> task);
  std::size_t running() const { return state_->running; }

 private:
  struct State {
    std::size_t running = 0;
    base::Log& log;
  };
  net::asio::any_io_executor executor_;
  std::shared_ptr<State> state_;  // shared with the completion handlers, which may come later
};

// Wakes every coroutine that waits on it. A wake-up that nobody waits for is lost: test the
// condition in a loop.
class Signal {
 public:
  explicit Signal(net::asio::any_io_executor executor);
  void notify() { timer_.cancel(); }
  net::Task<void> wait();

 private:
  net::asio::steady_timer timer_;  // never expires
};

}  // namespace sandtrap::warden
