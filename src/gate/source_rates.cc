#include "gate/source_rates.h"

#include <algorithm>

namespace sandtrap::gate {

void SourceRates::configure(std::uint32_t per_minute, std::uint32_t burst) {
  interval_ = per_minute == 0 ? base::Duration(0)
                              : base::Duration(std::chrono::minutes(1)) / std::int64_t{per_minute};
  tolerance_ = interval_ * (burst == 0 ? 0 : std::int64_t{burst} - 1);
  if (per_minute == 0) {
    order_.clear();
    buckets_.clear();
  }
}

bool SourceRates::take(const std::string& source, base::Instant now) {
  if (interval_.count() == 0) return true;
  while (!order_.empty() && order_.front().full_at <= now) {
    buckets_.erase(order_.front().source);
    order_.pop_front();
  }
  const auto known = buckets_.find(source);
  if (known != buckets_.end()) {
    Bucket& bucket = *known->second;
    const base::Instant full_at = std::max(bucket.full_at, now);
    if (full_at - now > tolerance_) return false;
    bucket.full_at = full_at + interval_;
    order_.splice(order_.end(), order_, known->second);
    return true;
  }
  if (buckets_.size() >= max_sources_) {
    buckets_.erase(order_.front().source);
    order_.pop_front();
  }
  order_.push_back(Bucket{source, now + interval_});
  buckets_.emplace(source, std::prev(order_.end()));
  return true;
}

bool RefusalLog::note(const std::string& source, Entry entry, base::Instant now) {
  std::string key = source;
  if (!windows_.contains(key) && windows_.size() >= max_sources_) {
    key.clear();  // a flood from everywhere: one line for all that follows
    entry.ip.clear();
    entry.port = 0;
  }
  const auto [window, first] = windows_.try_emplace(key, Window{{}, now + kWindow});
  if (first) by_end_.push_back(key);
  entry.count = first ? 0 : window->second.last.count + 1;  // the caller logs the first
  window->second.last = std::move(entry);
  return first;
}

std::vector<RefusalLog::Entry> RefusalLog::due(base::Instant now) {
  std::vector<Entry> out;
  while (!by_end_.empty() && windows_.at(by_end_.front()).end <= now) {
    const auto window = windows_.find(by_end_.front());
    if (window->second.last.count == 0) {
      windows_.erase(window);
      by_end_.pop_front();
      continue;
    }
    out.push_back(window->second.last);
    window->second.last.count = 0;
    window->second.end = now + kWindow;
    by_end_.splice(by_end_.end(), by_end_, by_end_.begin());
  }
  return out;
}

std::optional<base::Instant> RefusalLog::next_due() const {
  if (by_end_.empty()) return std::nullopt;
  return windows_.at(by_end_.front()).end;
}

std::vector<RefusalLog::Entry> RefusalLog::rest() {
  std::vector<Entry> out;
  for (const std::string& source : by_end_) {
    const Entry& last = windows_.at(source).last;
    if (last.count > 0) out.push_back(last);
  }
  by_end_.clear();
  windows_.clear();
  return out;
}

}  // namespace sandtrap::gate
