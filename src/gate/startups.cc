#include "gate/startups.h"

#include "base/error.h"

namespace sandtrap::gate {

std::uint32_t drop_percent(const config::MaxStartups& limits, std::uint32_t unauthenticated) {
  if (unauthenticated < limits.start) return 0;
  if (unauthenticated >= limits.full || limits.rate >= 100) return 100;
  const std::uint64_t over = unauthenticated - limits.start;
  const std::uint64_t span = limits.full - limits.start;
  return static_cast<std::uint32_t>((100 - limits.rate) * over / span) + limits.rate;
}

std::string_view reason(Verdict verdict) {
  switch (verdict) {
    case Verdict::kAdmit:
      return "admitted";
    case Verdict::kStartups:
      return "max_startups";
    case Verdict::kSource:
      return "max_connections_per_source";
    case Verdict::kRate:
      return "source_rate";
    case Verdict::kTotal:
      return "max_connections";
  }
  return "";
}

void Admission::configure(const config::Server& settings) {
  startups_ = settings.max_startups;
  max_per_source_ = settings.max_connections_per_source;
  max_total_ = settings.max_connections;
  ipv6_prefix_ = settings.source_ipv6_prefix;
  rates_.configure(settings.source_rate, settings.source_burst);
}

Verdict Admission::admit(const std::string& source, std::uint32_t draw, base::Instant now) {
  if (total_ >= max_total_) return Verdict::kTotal;
  const auto known = by_source_.find(source);
  if (known != by_source_.end() && known->second >= max_per_source_) return Verdict::kSource;
  if (max_per_source_ == 0) return Verdict::kSource;
  if (!rates_.take(source, now)) return Verdict::kRate;
  if (draw < drop_percent(startups_, unauthenticated_)) return Verdict::kStartups;
  ++total_;
  ++unauthenticated_;
  ++by_source_[source];
  return Verdict::kAdmit;
}

void Admission::closed(const std::string& source, bool was_authenticated) {
  const auto known = by_source_.find(source);
  SANDTRAP_CHECK(known != by_source_.end() && total_ > 0);
  if (--known->second == 0) by_source_.erase(known);
  --total_;
  if (!was_authenticated) --unauthenticated_;
}

}  // namespace sandtrap::gate
