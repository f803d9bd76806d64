#include "warden/login_records.h"

#include <algorithm>
#include <limits>

namespace sandtrap::warden {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;

base::WallTime to_wall(base::Instant when, Clocks clocks) {
  const auto left = duration_cast<microseconds>(when - clocks.now).count();
  return base::WallTime{clocks.wall.micros + left};
}

// A saved time may be anything: no arithmetic that could overflow, none beyond `most` from now.
base::Instant to_instant(base::WallTime when, Clocks clocks, std::chrono::seconds most) {
  if (when.micros <= clocks.wall.micros) return clocks.now;
  const auto left =
      static_cast<std::uint64_t>(when.micros) - static_cast<std::uint64_t>(clocks.wall.micros);
  const auto limit = static_cast<std::uint64_t>(duration_cast<microseconds>(most).count());
  return clocks.now + microseconds(static_cast<std::int64_t>(std::min(left, limit)));
}

}  // namespace

const LoginRecord* LoginRecords::find(std::string_view record) const {
  const auto it = index_.find(record);
  return it == index_.end() ? nullptr : &it->second->second;
}

LoginRecord& LoginRecords::touch(std::string_view record, base::Instant now) {
  const auto it = index_.find(record);
  if (it == index_.end()) {
    order_.emplace_front(std::string(record), LoginRecord{});
    index_.emplace(order_.front().first, order_.begin());
    evict();
    return order_.front().second;
  }
  order_.splice(order_.begin(), order_, it->second);
  LoginRecord& found = order_.front().second;
  if (now >= found.until) found.failures = 0;
  std::erase_if(found.earned, [&](const EarnedLogin& login) { return now >= login.until; });
  return found;
}

void LoginRecords::evict() {
  while (order_.size() > std::max<std::size_t>(max_records_, 1)) {
    index_.erase(order_.back().first);
    order_.pop_back();
  }
}

std::uint32_t LoginRecords::failures(std::string_view record, base::Instant now) const {
  const LoginRecord* found = find(record);
  return found == nullptr || now >= found->until ? 0 : found->failures;
}

void LoginRecords::add_failure(std::string_view record, base::Instant now) {
  LoginRecord& found = touch(record, now);
  if (found.failures < std::numeric_limits<std::uint32_t>::max()) ++found.failures;
  found.until = now + memory_;
}

void LoginRecords::forget_failures(std::string_view record) {
  const auto it = index_.find(record);
  if (it != index_.end()) it->second->second.failures = 0;
}

std::vector<EarnedLogin> LoginRecords::earned(std::string_view record, base::Instant now) const {
  const LoginRecord* found = find(record);
  std::vector<EarnedLogin> out;
  if (found == nullptr) return out;
  for (const EarnedLogin& login : found->earned) {
    if (now < login.until) out.push_back(login);
  }
  return out;
}

void LoginRecords::keep(LoginRecord& record, const EarnedLogin& login) const {
  std::erase_if(record.earned, [&](const EarnedLogin& old) {
    return old.user == login.user && old.secret == login.secret && old.key == login.key;
  });
  while (record.earned.size() >= std::max<std::size_t>(max_earned_, 1)) {
    record.earned.erase(record.earned.begin());
  }
  record.earned.push_back(login);
}

void LoginRecords::earn(std::string_view record, EarnedLogin login, base::Instant now) {
  login.until = now + memory_;
  keep(touch(record, now), login);
}

void LoginRecords::rekey(std::string_view from, std::string_view to, base::Instant now) {
  const LoginRecord* found = find(from);
  if (found == nullptr || from == to) return;
  const LoginRecord old = *found;
  erase(from);
  LoginRecord& target = touch(to, now);
  if (now < old.until) {
    target.failures = std::max(target.failures, old.failures);
    target.until = std::max(target.until, old.until);
  }
  for (const EarnedLogin& login : old.earned) {
    if (now < login.until) keep(target, login);
  }
}

void LoginRecords::erase(std::string_view record) {
  const auto it = index_.find(record);
  if (it == index_.end()) return;
  const Order::iterator entry = it->second;
  index_.erase(it);
  order_.erase(entry);
}

std::optional<SavedRecord> LoginRecords::save(std::string_view record, Clocks clocks) const {
  const LoginRecord* found = find(record);
  if (found == nullptr) return std::nullopt;
  SavedRecord out{
      std::string(record), failures(record, clocks.now), to_wall(found->until, clocks), {}};
  for (const EarnedLogin& login : earned(record, clocks.now)) {
    out.earned.push_back({login.user, login.secret, login.key, to_wall(login.until, clocks)});
  }
  if (out.failures == 0 && out.earned.empty()) return std::nullopt;
  return out;
}

std::vector<SavedRecord> LoginRecords::save_all(Clocks clocks) const {
  std::vector<SavedRecord> out;
  for (auto it = order_.rbegin(); it != order_.rend(); ++it) {
    if (auto saved = save(it->first, clocks)) out.push_back(std::move(*saved));
  }
  return out;
}

void LoginRecords::load(const std::vector<SavedRecord>& saved, Clocks clocks) {
  for (const SavedRecord& one : saved) {
    LoginRecord& record = touch(one.record, clocks.now);
    if (one.until.micros > clocks.wall.micros) {
      record.failures = one.failures;
      record.until = to_instant(one.until, clocks, memory_);
    }
    for (const SavedLogin& login : one.earned) {
      if (login.until.micros <= clocks.wall.micros) continue;
      keep(record, {login.user, login.secret, login.key, to_instant(login.until, clocks, memory_)});
    }
  }
}

void LoginRecords::configure(std::size_t max_records, std::size_t max_earned,
                             std::chrono::seconds memory) {
  max_records_ = max_records;
  max_earned_ = max_earned;
  memory_ = memory;
  evict();
}

}  // namespace sandtrap::warden
