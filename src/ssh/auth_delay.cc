#include "ssh/auth_delay.h"

#include <fmt/format.h>

#include "crypto/hash.h"
#include "crypto/wire.h"

namespace sandtrap::ssh {

base::Duration base_failure_delay(std::uint64_t secret, std::string_view user) {
  crypto::Hash hash(crypto::HashName::kSha512);
  hash.update(base::as_bytes(fmt::format("{}", secret))).update(base::as_bytes(user));
  const crypto::Digest digest = hash.finish();
  // The first four bytes, big-endian, as picoseconds.
  const std::uint32_t picoseconds = crypto::load_u32(digest.bytes.data());
  return std::chrono::milliseconds(5) + std::chrono::nanoseconds(picoseconds / 1000);
}

base::Duration padded_failure_delay(base::Duration base, base::Duration work) {
  // A login lasts minutes at most; the bound keeps the doubling from overflowing.
  constexpr base::Duration kLongest = std::chrono::hours(24);
  if (base <= base::Duration::zero()) return work;
  base::Duration padded = base;
  while (padded < work && padded < kLongest) padded *= 2;
  return padded;
}

namespace {

base::Duration at_share(base::Duration min, base::Duration max, double share) {
  const double span = static_cast<double>((max - min).count());
  return min + base::Duration(static_cast<base::Duration::rep>(span * share));
}

}  // namespace

base::Duration random_delay(base::Duration min, base::Duration max, base::Entropy& entropy) {
  if (max <= min) return min;
  std::uint8_t bytes[6];
  entropy.fill(bytes);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < sizeof bytes; i += 2) {
    sum += static_cast<std::uint32_t>(bytes[i]) << 8 | bytes[i + 1];
  }
  return at_share(min, max, static_cast<double>(sum) / (3.0 * 65535.0));
}

base::Duration clocked_delay(base::Duration min, base::Duration max, std::int64_t unix_seconds) {
  if (max <= min) return min;
  // The quick generator of "Numerical Recipes"; each number is reduced to millionths.
  constexpr std::uint32_t kFactor = 1664525, kStep = 1013904223, kMillion = 1'000'000;
  auto state = static_cast<std::uint32_t>(unix_seconds);
  std::uint32_t sum = 0;
  for (int i = 0; i < 3; ++i) {
    state = kFactor * state + kStep;
    sum += state / 10 % kMillion;
  }
  return at_share(min, max, static_cast<double>(sum) / (3.0 * kMillion));
}

}  // namespace sandtrap::ssh
