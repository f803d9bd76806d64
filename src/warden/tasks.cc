#include "warden/tasks.h"

#include <boost/asio/co_spawn.hpp>
#include <exception>

namespace sandtrap::warden {

Tasks::Tasks(net::asio::any_io_executor executor, base::Log& log)
    : executor_(std::move(executor)), state_(std::make_shared<State>(State{0, log})) {}

void Tasks::spawn(std::string what, net::Task<void> task) {
  ++state_->running;
  net::asio::co_spawn(executor_, std::move(task),
                      [state = state_, what = std::move(what)](std::exception_ptr thrown) {
                        --state->running;
                        if (!thrown) return;
                        try {
                          std::rethrow_exception(thrown);
                        } catch (const std::exception& e) {
                          state->log.error("{}: {}", what, e.what());
                        }
                      });
}

Signal::Signal(net::asio::any_io_executor executor)
    : timer_(std::move(executor), net::asio::steady_timer::time_point::max()) {}

net::Task<void> Signal::wait() {
  co_await timer_.async_wait(net::use_ec);
}

}  // namespace sandtrap::warden
