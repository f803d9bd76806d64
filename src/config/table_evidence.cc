// table.h: the rows about what is kept: preserved sandboxes, recordings, the log, and how much of
// the disk all of it may fill.
#include "config/table.h"
#include "config/table_member.h"

namespace sandtrap::config {
namespace {

using S = Settings;
using std::chrono::seconds;
constexpr seconds kDay{86400};
constexpr std::uint64_t kMi = 1ULL << 20, kTi = 1ULL << 40;

std::vector<Key> preservation_keys() {
  constexpr auto kV = &S::preservation;
  return {
      {"preservation", "enabled", BoolType{in<kV, &Preservation::enabled>},
       "Keeps a sandbox that an attacker has used; otherwise it is deleted."},
      {"preservation", "max_age",
       SecondsType{in<kV, &Preservation::max_age>, seconds{60}, 3650 * kDay},
       "Older ones are deleted."},
      {"preservation", "max_count", CountType{in<kV, &Preservation::max_count>, 1, 1'000'000},
       "Beyond this number the oldest is deleted."},
      {"preservation", "max_bytes", SizeType{in<kV, &Preservation::max_bytes>, kMi, 1024 * kTi},
       "Beyond this size altogether the oldest is deleted."},
  };
}

std::vector<Key> recording_keys() {
  constexpr auto kR = &S::recording;
  return {
      {"recording", "enabled", BoolType{in<kR, &Recording::enabled>},
       "Records every session channel as an asciicast file in data_dir/recordings."},
      {"recording", "record_input", BoolType{in<kR, &Recording::record_input>},
       "Also records what the attacker types, passwords included."},
      {"recording", "max_bytes", SizeType{in<kR, &Recording::max_bytes>, kMi, 64 * kTi},
       "The size of one recording; a session that reaches it is ended."},
  };
}

std::vector<Key> logging_keys() {
  constexpr auto kL = &S::logging;
  return {
      {"logging", "level",
       TextType{in<kL, &Logging::level>, TextRule::kName, {"debug", "info", "warn", "error"}},
       "The least important messages that still go to standard error."},
      {"logging", "sensor",
       TextType{in<kL, &Logging::sensor>, TextRule::kName, {}, "the host name"},
       "The name of this honeypot in every event."},
      {"logging", "rotate_bytes", SizeType{in<kL, &Logging::rotate_bytes>, kMi / 16, 64 * kTi},
       "events.jsonl is moved to data_dir/logs when it has this size, and a new one begun."},
      {"logging", "rotate_age", SecondsType{in<kL, &Logging::rotate_age>, seconds{60}, 3650 * kDay},
       "… or when its first line is this old."},
      {"logging", "compress", BoolType{in<kL, &Logging::compress>},
       "Log files that were moved are compressed with gzip."},
  };
}

std::vector<Key> disk_keys() {
  constexpr auto kD = &S::disk;
  return {
      {"disk", "recordings_bytes", SizeType{in<kD, &Disk::recordings_bytes>, kMi, 1024 * kTi},
       "What all recordings may take; beyond that the oldest finished ones are deleted."},
      {"disk", "logs_bytes", SizeType{in<kD, &Disk::logs_bytes>, kMi, 1024 * kTi},
       "What events.jsonl and data_dir/logs may take; beyond that the oldest log files are "
       "deleted."},
      {"disk", "min_free_bytes", SizeType{in<kD, &Disk::min_free_bytes>, 0, 1024 * kTi},
       "With less than this free in data_dir's file system nobody gets a shell any more: logins "
       "and everything before them go on and are logged. 0 turns that off."},
  };
}

}  // namespace

std::vector<Key> evidence_keys() {
  std::vector<Key> all;
  for (auto part : {preservation_keys, recording_keys, logging_keys, disk_keys}) {
    for (Key& key : part()) all.push_back(std::move(key));
  }
  return all;
}

}  // namespace sandtrap::config
