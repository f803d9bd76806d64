// Who may connect now: sshd's MaxStartups, and our limits per source and in all. Pure: the random
// draw comes in as a number.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "config/settings.h"

namespace sandtrap::gate {

// Chance in percent that sshd refuses one more connection while `unauthenticated` others have not
// logged in yet (sshd_config(5) MaxStartups: linear from `rate` at `start` to 100 at `full`).
std::uint32_t drop_percent(const config::MaxStartups& limits, std::uint32_t unauthenticated);

// What counts as one source: an IPv4 address, or the /64 of an IPv6 address (what one site owns).
std::string source_key(std::string_view ip);

enum class Verdict { kAdmit, kStartups, kSource, kTotal };
std::string_view reason(Verdict verdict);

class Admission {
 public:
  explicit Admission(const config::Server& settings) { configure(settings); }
  void configure(const config::Server& settings);

  // `draw` is uniform in 0..99. Counts the connection when it is admitted.
  Verdict admit(const std::string& source, std::uint32_t draw);
  void authenticated() { --unauthenticated_; }  // its start-up slot is free again
  void closed(const std::string& source, bool was_authenticated);

  std::uint32_t total() const { return total_; }
  std::uint32_t unauthenticated() const { return unauthenticated_; }

 private:
  config::MaxStartups startups_;
  std::uint32_t max_per_source_ = 0, max_total_ = 0;
  std::uint32_t total_ = 0, unauthenticated_ = 0;
  std::unordered_map<std::string, std::uint32_t> by_source_;
};

}  // namespace sandtrap::gate
