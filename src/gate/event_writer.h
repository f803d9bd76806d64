// The gate's end of events.jsonl: lines emitted anywhere in a loop turn leave with one write at its
// end. A disk that does not take them is retried every second, and while the backlog is long the
// owner stops accepting. Lives on the gate's loop; the owner outlives its callbacks.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <string>

#include "base/fd.h"
#include "base/log.h"
#include "event/event_log.h"

namespace sandtrap::gate {

class EventWriter {
 public:
  // Many clients that flood within one turn of the loop must not fill the backlog.
  static constexpr std::size_t kWriteAtOnce = 256U << 10;
  static constexpr std::size_t kStopAccepting = 4U << 20;  // bytes; well below the log's own limit
  static constexpr std::size_t kResume = 1U << 20;

  EventWriter(boost::asio::any_io_executor executor, std::string sensor, base::Log& log);
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;

  void attach(base::Fd fd) { events_.attach(std::move(fd)); }
  void emit(const event::Context& context, const event::Body& body);
  void flush();  // at once; also the last act before exit
  bool backed_up() const { return backed_up_; }
  // Called when backed_up() changes.
  void on_backlog(std::function<void(bool)> callback) { on_backlog_ = std::move(callback); }

 private:
  void retry_later();
  void note_backlog();

  boost::asio::any_io_executor executor_;
  base::Log& log_;
  event::EventLog events_;
  boost::asio::steady_timer retry_;
  bool retrying_ = false, backed_up_ = false, losing_ = false;
  std::function<void(bool)> on_backlog_;
};

}  // namespace sandtrap::gate
