#include "event/event_log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

namespace sandtrap::event {

void EventLog::attach(base::Fd fd) {
  fd_ = std::move(fd);
  written_ = 0;
  if (!pending_.empty()) schedule();
}

base::Status EventLog::emit(Context context, const Body& body) {
  context.sensor = sensor_;
  if (context.time.micros == 0) context.time = base::wall_now();
  if (lost_ > 0) {
    Context own;
    own.time = context.time;
    own.sensor = sensor_;
    const ErrorRaised report{"event_log", fmt::format("{} events lost: backlog full", lost_)};
    if (queue(to_line(own, report))) lost_ = 0;
  }
  base::Status queued = queue(to_line(context, body));
  if (!queued) ++lost_;
  schedule();
  return queued;
}

base::Status EventLog::queue(const std::string& line) {
  if (pending_.size() + line.size() > backlog_limit_) {
    return base::fail(base::Errc::kLimit, "event log: backlog full");
  }
  pending_ += line;
  return {};
}

void EventLog::schedule() {
  if (scheduled_) return;
  scheduled_ = true;
  if (on_pending_) on_pending_();
}

base::Status EventLog::flush() {
  scheduled_ = false;
  if (!fd_) return {};
  while (written_ < pending_.size()) {
    const ssize_t n = ::write(fd_.get(), pending_.data() + written_, pending_.size() - written_);
    if (n < 0) {
      if (errno == EINTR) continue;
      const int err = errno;
      drop_written_lines();
      return base::fail_errno("append to the event log", err);
    }
    written_ += static_cast<std::size_t>(n);
  }
  pending_.clear();
  written_ = 0;
  return {};
}

void EventLog::drop_written_lines() {
  if (written_ == 0) return;
  const std::size_t last = pending_.rfind('\n', written_ - 1);
  if (last == std::string::npos) return;
  pending_.erase(0, last + 1);
  written_ -= last + 1;
}

}  // namespace sandtrap::event
