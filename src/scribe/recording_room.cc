#include "scribe/recording_room.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

namespace sandtrap::scribe {
namespace {

using base::Fd;

constexpr std::int64_t kHour = 3'600'000'000, kDay = 24 * kHour;  // microseconds

bool is_day(const std::string& name) {
  return name.size() == 10 && is_one_of(name, "0123456789-");
}

std::uint64_t blocks_of(const Fd& dir, const std::string& name) {
  struct stat info {};
  if (::fstatat(dir.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return 0;
  return static_cast<std::uint64_t>(info.st_blocks) * 512;
}

std::uint64_t measure(const Fd& day) {
  std::uint64_t total = 0;
  for (const std::string& name : names_in(day)) total += blocks_of(day, name);
  return total;
}

// Deletes from one day, until `total` is within the limit or the portion is full.
void make_room(const Fd& day, const std::string& day_name, std::uint64_t limit,
               const RecordingRoom::Busy& busy, std::uint64_t& total,
               std::vector<Removed>& removed) {
  std::vector<std::string> names = names_in(day);
  std::erase_if(names, [](const std::string& name) { return !name.ends_with(".cast"); });
  std::sort(names.begin(), names.end());  // they begin with the time of the day
  for (const std::string& name : names) {
    if (total <= limit || removed.size() >= RecordingRoom::kPortion) return;
    std::string path = "recordings/" + day_name + "/" + name;
    if (busy(path)) continue;
    const std::string sidecar = name.substr(0, name.size() - 5) + ".bin";
    const std::uint64_t bytes = blocks_of(day, name) + blocks_of(day, sidecar);
    if (::unlinkat(day.get(), name.c_str(), 0) != 0) continue;
    ::unlinkat(day.get(), sidecar.c_str(), 0);
    total -= std::min(total, bytes);
    removed.push_back({std::move(path), bytes});
  }
}

}  // namespace

RecordingRoom::Outcome RecordingRoom::trim(const Fd& recordings, std::uint64_t limit,
                                           const Busy& busy, base::WallTime now) {
  std::set<std::string> days;
  for (std::string& name : names_in(recordings)) {
    if (is_day(name)) days.insert(std::move(name));
  }
  // A session may go on for days in the folder of its first.
  if (now.micros - measured_since_.micros > kHour) {
    measured_.clear();
    measured_since_ = now;
  }
  // What began yesterday may be finished today.
  const std::string yesterday = base::to_iso8601({now.micros - kDay}).substr(0, 10);
  Outcome out;
  std::map<std::string, std::uint64_t> sizes;
  for (const std::string& name : days) {
    const auto known = measured_.find(name);
    if (known != measured_.end()) {
      sizes[name] = known->second;
    } else if (const auto day = open_at(recordings, name, O_RDONLY | O_DIRECTORY); day) {
      sizes[name] = measure(*day);
      if (name < yesterday) measured_[name] = sizes[name];
    }
    out.bytes += sizes[name];
  }
  for (const std::string& name : days) {
    if (out.bytes <= limit || out.removed.size() >= kPortion) break;
    measured_.erase(name);
    const auto day = open_at(recordings, name, O_RDONLY | O_DIRECTORY);
    if (!day) continue;
    make_room(*day, name, limit, busy, out.bytes, out.removed);
    // Only an empty one goes; a recording that is just being made there makes it anew.
    if (name < yesterday) ::unlinkat(recordings.get(), name.c_str(), AT_REMOVEDIR);
  }
  return out;
}

}  // namespace sandtrap::scribe
