#include "warden/retention.h"

#include <algorithm>
#include <numeric>

namespace sandtrap::warden {

std::vector<std::size_t> expired(const std::vector<Kept>& kept,
                                 const config::Preservation& settings, base::WallTime now) {
  std::vector<std::size_t> order(kept.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return kept[a].ended.micros < kept[b].ended.micros;
  });
  std::uint64_t bytes = 0;
  for (const Kept& one : kept) {
    bytes = bytes + one.bytes < bytes ? UINT64_MAX : bytes + one.bytes;
  }
  const std::int64_t oldest =
      now.micros - std::chrono::duration_cast<std::chrono::microseconds>(settings.max_age).count();

  std::size_t left = kept.size();
  std::vector<std::size_t> out;
  for (const std::size_t i : order) {
    const bool too_old = kept[i].ended.micros < oldest;
    if (!too_old && left <= settings.max_count && bytes <= settings.max_bytes) break;
    out.push_back(i);
    --left;
    bytes -= std::min(bytes, kept[i].bytes);
  }
  return out;
}

std::vector<std::size_t> to_clean(const std::vector<Kept>& kept, const Cleanup& wanted,
                                  base::WallTime now) {
  if (!wanted.older_than && !wanted.keep_bytes) return {};
  config::Preservation rules;
  // What is not asked for limits nothing.
  rules.max_count = UINT32_MAX;
  rules.max_bytes = wanted.keep_bytes.value_or(UINT64_MAX);
  rules.max_age = wanted.older_than.value_or(std::chrono::seconds(now.micros / 1'000'000));
  return expired(kept, rules, now);
}

}  // namespace sandtrap::warden
