#include "gate/event_writer.h"

#include <boost/asio/post.hpp>

#include "net/task.h"

namespace sandtrap::gate {

EventWriter::EventWriter(boost::asio::any_io_executor executor, std::string sensor, base::Log& log)
    : executor_(executor), log_(log), events_(std::move(sensor)), retry_(executor) {
  events_.on_pending([this] { boost::asio::post(executor_, [this] { flush(); }); });
}

void EventWriter::emit(const event::Context& context, const event::Body& body) {
  const base::Status queued = events_.emit(context, body);
  if (queued.has_value() == losing_) {
    losing_ = !queued.has_value();
    if (losing_) log_.error("events are being lost: {}", queued.error().context);
  }
  if (events_.queued() > kWriteAtOnce && !retrying_) return flush();
  note_backlog();
}

void EventWriter::flush() {
  const base::Status written = events_.flush();
  if (!written) {
    if (!retrying_) log_.error("{}; {} bytes wait", written.error().context, events_.queued());
    retry_later();
  }
  note_backlog();
}

void EventWriter::retry_later() {
  if (retrying_) return;
  retrying_ = true;
  retry_.expires_after(std::chrono::seconds(1));
  retry_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    retrying_ = false;
    flush();
  });
}

void EventWriter::note_backlog() {
  const std::size_t limit = backed_up_ ? kResume : kStopAccepting;
  const bool now = events_.queued() > limit;
  if (now == backed_up_) return;
  backed_up_ = now;
  if (now) {
    log_.error("event log backlog is {} bytes: no new connections", events_.queued());
  } else {
    log_.info("event log backlog is written: accepting again");
  }
  if (on_backlog_) on_backlog_(now);
}

}  // namespace sandtrap::gate
