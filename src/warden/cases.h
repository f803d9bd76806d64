// Which case (attacker) a connection belongs to: for now one case per source address. Pure; the
// seam for a case that also follows earned credentials. Bounded: beyond the maximum the case that
// has been idle for longest is forgotten; cases with open sessions never are.
#pragma once

#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/entropy.h"
#include "warden/source_key.h"

namespace sandtrap::warden {

using CaseId = std::string;  // 12 hex digits

class Cases {
 public:
  // `entropy` outlives this.
  Cases(std::size_t max_cases, base::Entropy& entropy) : max_(max_cases), entropy_(entropy) {}

  // The case of this source, a new one if it is unknown. Every open() is ended by one close().
  CaseId open(const SourceKey& source);
  void close(const SourceKey& source);
  // A case of an earlier run of the warden, read from its sandbox's label.
  void adopt(const SourceKey& source, CaseId id);

  void configure(std::size_t max_cases);
  std::size_t size() const { return cases_.size(); }

 private:
  struct Entry {
    CaseId id;
    std::uint32_t sessions = 0;
    std::list<SourceKey>::iterator idle;  // valid while sessions == 0
  };
  Entry& enter(const SourceKey& source, CaseId id);
  void evict();

  std::size_t max_;
  base::Entropy& entropy_;
  std::unordered_map<SourceKey, Entry, SourceKeyHash> cases_;
  std::list<SourceKey> idle_;  // front: idle for longest
};

}  // namespace sandtrap::warden
