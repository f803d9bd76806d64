// Who may connect now: sshd's MaxStartups, and our limits per source and in all. Pure: the random
// draw comes in as a number.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/instant.h"
#include "base/source.h"
#include "config/settings.h"
#include "gate/source_rates.h"

namespace sandtrap::gate {

// Chance in percent that sshd refuses one more connection while `unauthenticated` others have not
// logged in yet (sshd_config(5) MaxStartups: linear from `rate` at `start` to 100 at `full`).
std::uint32_t drop_percent(const config::MaxStartups& limits, std::uint32_t unauthenticated);

enum class Verdict { kAdmit, kStartups, kSource, kRate, kTotal };
std::string_view reason(Verdict verdict);

class Admission {
 public:
  explicit Admission(const config::Server& settings) { configure(settings); }
  void configure(const config::Server& settings);

  std::string source_of(std::string_view ip) const { return base::source_of(ip, ipv6_prefix_); }
  // `draw` is uniform in 0..99. Counts the connection when it is admitted.
  Verdict admit(const std::string& source, std::uint32_t draw, base::Instant now);
  void authenticated() { --unauthenticated_; }  // its start-up slot is free again
  // `source` as it was admitted: the prefix may have changed since.
  void closed(const std::string& source, bool was_authenticated);

  std::uint32_t total() const { return total_; }
  std::uint32_t unauthenticated() const { return unauthenticated_; }

 private:
  config::MaxStartups startups_;
  std::uint32_t max_per_source_ = 0, max_total_ = 0;
  std::uint32_t total_ = 0, unauthenticated_ = 0;
  std::uint32_t ipv6_prefix_ = 64;
  std::unordered_map<std::string, std::uint32_t> by_source_;
  SourceRates rates_;
};

}  // namespace sandtrap::gate
