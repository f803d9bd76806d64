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
  explicit EventLog(std::string sensor) : sensor_(std::move(sensor)) {}

  // Lines emitted before a descriptor is there, or after a failed write, wait in memory up to
  // `backlog_limit` bytes (then emit() reports kLimit and the caller must stop producing).
  void attach(base::Fd fd);
  bool attached() const { return static_cast<bool>(fd_); }

  // Stamps sensor (and time, if context.time is 0) and queues the line. Cheap: no system call.
  void emit(Context context, const Body& body);
  // Writes all queued lines with one write(2). Call once per loop turn, and before exit.
  base::Status flush();
  std::size_t queued() const { return pending_.size(); }
  // Called on the transition from an empty to a non-empty queue: schedule a flush.
  void on_pending(std::function<void()> callback) { on_pending_ = std::move(callback); }

 private:
  std::string sensor_;
  std::string pending_;
  base::Fd fd_;
  std::function<void()> on_pending_;
};

}  // namespace sandtrap::event
