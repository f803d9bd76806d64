#include "warden/failure_table.h"

#include <algorithm>
#include <limits>

namespace sandtrap::warden {

const SourceRecord* FailureTable::find(const SourceKey& source) const {
  const auto it = index_.find(source);
  return it == index_.end() ? nullptr : &it->second->second;
}

std::uint32_t FailureTable::failures(const SourceKey& source, base::Instant now) const {
  const SourceRecord* record = find(source);
  return record == nullptr || now >= record->until ? 0 : record->failures;
}

SourceRecord& FailureTable::touch(const SourceKey& source, base::Instant now) {
  const auto it = index_.find(source);
  if (it == index_.end()) {
    order_.emplace_front(source, SourceRecord{});
    index_.emplace(source, order_.begin());
    evict();
    return order_.front().second;
  }
  order_.splice(order_.begin(), order_, it->second);
  SourceRecord& record = order_.front().second;
  if (now >= record.until) record.failures = 0;
  std::erase_if(record.earned, [&](const EarnedLogin& login) { return now >= login.until; });
  return record;
}

void FailureTable::evict() {
  while (order_.size() > std::max<std::size_t>(max_sources_, 1)) {
    index_.erase(order_.back().first);
    order_.pop_back();
  }
}

void FailureTable::add_failure(const SourceKey& source, base::Instant now) {
  SourceRecord& record = touch(source, now);
  if (record.failures < std::numeric_limits<std::uint32_t>::max()) ++record.failures;
  record.until = now + memory_;
}

void FailureTable::forget_failures(const SourceKey& source) {
  const auto it = index_.find(source);
  if (it != index_.end()) it->second->second.failures = 0;
}

std::optional<EarnedLogin> FailureTable::earned(const SourceKey& source, const Fingerprint& user,
                                                base::Instant now) const {
  const SourceRecord* record = find(source);
  if (record == nullptr) return std::nullopt;
  for (const EarnedLogin& login : record->earned) {
    if (login.user == user && now < login.until) return login;
  }
  return std::nullopt;
}

void FailureTable::earn(const SourceKey& source, EarnedLogin login, base::Instant now) {
  SourceRecord& record = touch(source, now);
  login.until = now + memory_;
  std::erase_if(record.earned, [&](const EarnedLogin& old) { return old.user == login.user; });
  if (record.earned.size() >= kMaxEarned) record.earned.erase(record.earned.begin());
  record.earned.push_back(login);
}

void FailureTable::configure(std::size_t max_sources, std::chrono::seconds memory) {
  max_sources_ = max_sources;
  memory_ = memory;
  evict();
}

}  // namespace sandtrap::warden
