#include "scribe/keeper.h"

#include <sys/statvfs.h>

#include <boost/asio/post.hpp>
#include <cerrno>
#include <utility>
#include <vector>

namespace sandtrap::scribe {

namespace asio = boost::asio;
using base::Result;
using base::Status;

Keeper::Keeper(asio::io_context& loop, asio::thread_pool& pool, const DataFolder& folder,
               Limits limits, Hooks hooks, base::Log& log)
    : loop_(loop),
      pool_(pool),
      folder_(folder),
      limits_(std::move(limits)),
      hooks_(std::move(hooks)),
      log_(log),
      timer_(loop) {}

Status Keeper::start() {
  auto logs = LogFiles::open(folder_.root());
  if (!logs) return tl::unexpected(logs.error());
  logs_ = std::make_unique<LogFiles>(std::move(*logs));
  tick();
  arm();
  return {};
}

void Keeper::arm() {
  timer_.expires_after(kTick);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    tick();
    arm();
  });
}

template <class Work, class Then>
void Keeper::job(Work work, Then then) {
  ++jobs_;
  asio::post(pool_, [this, work = std::move(work), then = std::move(then)]() mutable {
    asio::post(loop_, [this, result = work(), then = std::move(then)]() mutable {
      --jobs_;
      then(std::move(result));
      hooks_.on_idle();
    });
  });
}

void Keeper::tick() {
  look_at_disk();
  rotate();
  finish_moved();
  if (ticks_++ % kRoomTicks == 0) make_room();
}

void Keeper::look_at_disk() {
  struct statvfs info {};
  if (::fstatvfs(folder_.root().get(), &info) != 0) return;
  const std::uint64_t free = std::uint64_t{info.f_bavail} * info.f_frsize;
  const std::uint64_t least = limits_.disk.min_free_bytes;
  // A tenth more before it is enough again: it must not change with every recording.
  const bool low = free < (low_ ? least + least / 10 : least);
  if (low == low_) return;
  low_ = low;
  if (low) {
    log_.error("only {} MiB are free where the data folder is: no shells until there is more",
               free >> 20);
  } else {
    log_.info("{} MiB are free again", free >> 20);
  }
  hooks_.emit(event::DiskSpace{low, free, least});
}

void Keeper::rotate() {
  const config::Logging& logging = limits_.logging;
  if (!logs_->due(logging.rotate_bytes, logging.rotate_age, base::wall_now())) return;
  const auto name = logs_->move(base::wall_now());
  Status opened = name ? hooks_.new_log() : Status(tl::unexpected(name.error()));
  if (name && !opened) logs_->move_back(*name);  // no room for an empty file: go on with the old
  if (!opened && !failed_) log_.error("event log rotation: {}", opened.error().context);
  failed_ = !opened;
  if (opened) changed_ = true;
}

void Keeper::finish_moved() {
  for (const std::string& name : logs_->plain()) {
    if (working_.contains(name) || finished_.contains(name) || logs_->has_writer(name)) continue;
    working_.insert(name);
    job([this, name, compress = limits_.logging.compress] { return logs_->finish(name, compress); },
        [this, name](Result<LogFiles::Finished> done) {
          working_.erase(name);
          if (!done) return log_.error("event log: {}; trying again", done.error().context);
          if (done->path.ends_with(name)) finished_.insert(name);
          hooks_.emit(event::LogRotated{done->path, done->size, done->original_size});
          changed_ = true;
        });
  }
}

void Keeper::make_room() {
  const bool needed = std::exchange(changed_, false) || hooks_.busy();
  if (!needed || making_room_) return;
  making_room_ = true;
  struct Found {
    RecordingRoom::Outcome recordings;
    std::vector<Removed> logs;
  };
  job(
      [this, disk = limits_.disk] {
        const auto busy = [this](const std::string& path) { return folder_.is_open(path); };
        return Found{
            room_.trim(folder_.recordings(), disk.recordings_bytes, busy, base::wall_now()),
            logs_->trim(disk.logs_bytes)};
      },
      [this](const Found& found) {
        making_room_ = false;
        for (const Removed& one : found.logs) {
          log_.warn("{} deleted: disk.logs_bytes", one.path);
          finished_.erase(one.path.substr(one.path.rfind('/') + 1));
          hooks_.emit(event::LogRemoved{one.path, one.bytes, "disk.logs_bytes"});
        }
        for (const Removed& one : found.recordings.removed) {
          hooks_.emit(event::RecordingRemoved{one.path, one.bytes, "disk.recordings_bytes"});
        }
        if (found.recordings.removed.empty()) return;
        log_.warn("{} recordings deleted: disk.recordings_bytes", found.recordings.removed.size());
        if (found.recordings.removed.size() >= RecordingRoom::kPortion) {
          changed_ = true;
          make_room();
        }
      });
}

}  // namespace sandtrap::scribe
