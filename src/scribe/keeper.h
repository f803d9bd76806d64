// Keeps the data folder within its limits: moves and compresses the event log, deletes the oldest
// log files and recordings, and says when the disk is nearly full. Looks every kTick; what takes
// time runs on the pool's one thread. Owned by the intake; lives on the scribe's loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "base/log.h"
#include "config/settings.h"
#include "event/event.h"
#include "scribe/data_folder.h"
#include "scribe/log_files.h"
#include "scribe/recording_room.h"

namespace sandtrap::scribe {

class Keeper {
 public:
  static constexpr std::chrono::seconds kTick{5};
  static constexpr unsigned kRoomTicks = 6;  // so often room is looked for

  struct Limits {
    config::Logging logging;
    config::Disk disk;
  };
  struct Hooks {
    std::function<void(const event::Body&)> emit;
    std::function<base::Status()> new_log;  // opens events.jsonl anew, for us and all peers
    std::function<bool()> busy;             // recordings are being written
    std::function<void()> on_idle;          // a job has ended
  };

  // All outlive this; the pool is joined before it ends, and has one thread.
  Keeper(boost::asio::io_context& loop, boost::asio::thread_pool& pool, const DataFolder& folder,
         Limits limits, Hooks hooks, base::Log& log);

  base::Status start();
  void configure(Limits limits) { limits_ = std::move(limits); }
  bool disk_low() const { return low_; }
  bool no_jobs() const { return jobs_ == 0; }
  void recording_changed() { changed_ = true; }

  // What every tick does; tests call it.
  void tick();

 private:
  void arm();
  void look_at_disk();
  void rotate();
  void finish_moved();
  void make_room();
  template <class Work, class Then>
  void job(Work work, Then then);

  boost::asio::io_context& loop_;
  boost::asio::thread_pool& pool_;
  const DataFolder& folder_;
  Limits limits_;
  Hooks hooks_;
  base::Log& log_;
  std::unique_ptr<LogFiles> logs_;
  RecordingRoom room_;                        // used in jobs only
  std::set<std::string> working_, finished_;  // of plain files: in a job; not to be compressed
  boost::asio::steady_timer timer_;
  unsigned ticks_ = 0, jobs_ = 0;
  bool low_ = false, changed_ = true, making_room_ = false, failed_ = false;
};

}  // namespace sandtrap::scribe
