// How often one source may connect, and how refusals are logged so that a flood of them fills
// neither memory nor disk. Pure: time comes in as an argument.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/instant.h"

namespace sandtrap::gate {

// A token bucket for each source: `burst` tokens, refilled `per_minute`. One Instant is the whole
// bucket: the time at which it will be full again.
class SourceRates {
 public:
  explicit SourceRates(std::size_t max_sources = 65536) : max_sources_(max_sources) {}

  // `per_minute` 0: no limit.
  void configure(std::uint32_t per_minute, std::uint32_t burst);
  // Takes a token; false: there is none. A bucket that is full again is forgotten, and when the
  // table is full the one used longest ago: then its source may connect as if it were new, which
  // the limits of all connections together still bound.
  bool take(const std::string& source, base::Instant now);
  std::size_t sources() const { return buckets_.size(); }

 private:
  struct Bucket {
    std::string source;
    base::Instant full_at;
  };
  base::Duration interval_{0};   // of one token; 0: no limit
  base::Duration tolerance_{0};  // a bucket that is full later than in this time is empty
  std::size_t max_sources_;
  std::list<Bucket> order_;  // the one used longest ago first
  std::unordered_map<std::string, std::list<Bucket>::iterator> buckets_;
};

// The first refusal of a source is logged at once; those that follow are counted and logged as one
// at the end of each window, until a window without any.
class RefusalLog {
 public:
  static constexpr std::chrono::seconds kWindow{10};
  explicit RefusalLog(std::size_t max_sources = 4096) : max_sources_(max_sources) {}

  struct Entry {
    std::string ip;  // empty: of many sources
    std::uint16_t port = 0;
    std::string reason;
    std::uint64_t count = 1;
  };
  // `source` is what counts as one; `entry` is what to log of it. True: log it now.
  bool note(const std::string& source, Entry entry, base::Instant now);
  // What is to be logged of windows that have ended.
  std::vector<Entry> due(base::Instant now);
  std::optional<base::Instant> next_due() const;
  std::vector<Entry> rest();  // at the end of everything

 private:
  struct Window {
    Entry last;  // its count: since the last line
    base::Instant end;
  };
  std::size_t max_sources_;
  std::unordered_map<std::string, Window> windows_;
  std::list<std::string> by_end_;  // keys; every window is as long, so the order is the time's
};

}  // namespace sandtrap::gate
