// What the login policy remembers of each source address: failed passwords, and the password that
// was accepted. Bounded: when full, the source that was seen longest ago makes room. Every
// operation is O(1). Pure: time comes in.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <list>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/instant.h"
#include "warden/source_key.h"

namespace sandtrap::warden {

// A keyed digest instead of the text: an attacker's kilobyte-long passwords cost 16 bytes each.
using Fingerprint = std::array<std::uint8_t, 16>;

struct EarnedLogin {
  Fingerprint user, password;
  base::Instant until;
};

struct SourceRecord {
  std::uint32_t failures = 0;
  base::Instant until;              // failures are forgotten then
  std::vector<EarnedLogin> earned;  // at most FailureTable::kMaxEarned
};

class FailureTable {
 public:
  static constexpr std::size_t kMaxEarned = 16;  // users per source

  FailureTable(std::size_t max_sources, std::chrono::seconds memory)
      : max_sources_(max_sources), memory_(memory) {}

  std::uint32_t failures(const SourceKey& source, base::Instant now) const;
  void add_failure(const SourceKey& source, base::Instant now);
  void forget_failures(const SourceKey& source);
  std::optional<EarnedLogin> earned(const SourceKey& source, const Fingerprint& user,
                                    base::Instant now) const;
  void earn(const SourceKey& source, EarnedLogin login, base::Instant now);

  void configure(std::size_t max_sources, std::chrono::seconds memory);
  std::size_t size() const { return order_.size(); }

 private:
  using Entry = std::pair<SourceKey, SourceRecord>;
  SourceRecord& touch(const SourceKey& source, base::Instant now);
  const SourceRecord* find(const SourceKey& source) const;
  void evict();

  std::size_t max_sources_;
  std::chrono::seconds memory_;
  std::list<Entry> order_;  // front: changed last
  std::unordered_map<SourceKey, std::list<Entry>::iterator, SourceKeyHash> index_;
};

}  // namespace sandtrap::warden
