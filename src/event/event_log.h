// Appends whole event lines to events.jsonl through the descriptor that the scribe opened
// (O_APPEND): each flush is one write(2) of complete lines, so no process stands between an event
// and the disk. Owned by a role; single-threaded.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "event/event.h"

namespace sandtrap::event {

class EventLog {
 public:
  static constexpr std::size_t kBacklogLimit = 16U << 20;  // bytes

  explicit EventLog(std::string sensor, std::size_t backlog_limit = kBacklogLimit)
      : sensor_(std::move(sensor)), backlog_limit_(backlog_limit) {}

  // Replaces the descriptor (the scribe was restarted, the log was rotated). A line that the old
  // one took only half of is written again as a whole: whoever opened the new one blanked the torn
  // half.
  void attach(base::Fd fd);
  bool attached() const { return static_cast<bool>(fd_); }

  // Stamps sensor (and time, if context.time is 0) and queues the line. Cheap: no system call.
  // Lines emitted before a descriptor is there, or after a failed write, wait in memory up to the
  // backlog limit; then the line is lost, kLimit says so, and the caller must stop producing. How
  // many were lost is logged as an "error" event as soon as there is room.
  base::Status emit(Context context, const Body& body);
  // Writes all queued lines with one write(2); what could not be written stays queued, and a line
  // of which only a part was taken is completed before anything else. Call once per loop turn, and
  // before exit; after an error, again when there may be room.
  base::Status flush();
  std::size_t queued() const { return pending_.size() - written_; }
  // Called when a line or a descriptor arrives and no flush is due yet: schedule a flush.
  void on_pending(std::function<void()> callback) { on_pending_ = std::move(callback); }

 private:
  base::Status queue(const std::string& line);
  void schedule();
  void drop_written_lines();

  std::string sensor_;
  std::size_t backlog_limit_;
  std::string pending_;      // whole lines
  std::size_t written_ = 0;  // bytes of the first line that the descriptor has taken
  std::uint64_t lost_ = 0;
  bool scheduled_ = false;
  base::Fd fd_;
  std::function<void()> on_pending_;
};

}  // namespace sandtrap::event
