#include "ssh/kex_moduli.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace sandtrap::ssh {
namespace {

using base::Bytes;
using base::Errc;
using base::Result;
using crypto::Agreement;

constexpr std::uint32_t kSmallestGroup = 2048, kLargestGroup = 8192;
// moduli(5): type 2 is a safe prime; test bit 1 marks a composite; bits above it, a passed test.
constexpr std::uint32_t kSafePrime = 2, kComposite = 1;
constexpr std::size_t kMaxLine = 8192;

std::string_view next_field(std::string_view& line) {
  const std::size_t start = std::min(line.find_first_not_of(" \t"), line.size());
  line.remove_prefix(start);
  const std::size_t end = std::min(line.find_first_of(" \t\r"), line.size());
  const std::string_view field = line.substr(0, end);
  line.remove_prefix(end);
  return field;
}

std::optional<std::uint32_t> number(std::string_view field, int base = 10) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value, base);
  if (error != std::errc{} || end != field.data() + field.size()) return std::nullopt;
  return value;
}

std::optional<Bytes> hex_number(std::string_view field) {
  if (field.empty() || field.size() > 2 * kLargestGroup / 8) return std::nullopt;
  std::string even(field.size() % 2, '0');
  even += field;
  Bytes out;
  for (std::size_t i = 0; i < even.size(); i += 2) {
    const auto byte = number(std::string_view(even).substr(i, 2), 16);
    if (!byte) return std::nullopt;
    out.push_back(static_cast<std::uint8_t>(*byte));
  }
  return out;
}

std::optional<Modulus> parse_line(std::string_view line) {
  next_field(line);  // when it was made
  const auto type = number(next_field(line)), tests = number(next_field(line)),
             tries = number(next_field(line)), size = number(next_field(line));
  auto generator = hex_number(next_field(line)), prime = hex_number(next_field(line));
  if (!type || !tests || !tries || !size || !generator || !prime) return std::nullopt;
  if (*type != kSafePrime || (*tests & kComposite) != 0 || (*tests & ~kComposite) == 0 ||
      *tries == 0) {
    return std::nullopt;
  }
  // The file counts one bit less than the group has. The top bit has to be where it says.
  const std::uint32_t bits = *size + 1;
  if (prime->size() * 8 != bits || ((*prime)[0] & 0x80) == 0) return std::nullopt;
  return Modulus{bits, std::move(*generator), std::move(*prime)};
}

std::uint32_t uniform(base::Entropy& entropy, std::uint32_t below) {
  const std::uint32_t limit = UINT32_MAX - UINT32_MAX % below;
  for (;;) {
    std::uint8_t raw[4];
    entropy.fill(raw);
    std::uint32_t v = 0;
    for (const std::uint8_t b : raw) v = v << 8 | b;
    if (v < limit) return v % below;
  }
}

// The size nearest above `wanted`, or the largest there is.
std::uint32_t best_size(const std::vector<Modulus>& moduli, const GroupRequest& r) {
  std::uint32_t best = 0;
  for (const Modulus& m : moduli) {
    if (m.bits < r.min || m.bits > r.max) continue;
    const bool closer = m.bits >= r.preferred && (best < r.preferred || m.bits < best);
    const bool larger = best < r.preferred && m.bits > best;
    if (closer || larger) best = m.bits;
  }
  return best;
}

}  // namespace

std::vector<Modulus> parse_moduli(std::string_view text) {
  std::vector<Modulus> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with('#') || line.size() > kMaxLine) continue;
    if (auto modulus = parse_line(line)) out.push_back(std::move(*modulus));
  }
  return out;
}

Result<crypto::DhGroup> choose_group(const std::vector<Modulus>& moduli, GroupRequest r,
                                     base::Entropy& entropy) {
  // sshd compares what the client sent, and raises or caps it only afterwards.
  if (r.max < r.min || r.preferred < r.min || r.max < r.preferred || r.max < kSmallestGroup) {
    return base::fail(Errc::kInvalid, "group exchange: size out of range");
  }
  r.min = std::max(r.min, kSmallestGroup);
  r.max = std::min(r.max, kLargestGroup);
  r.preferred = std::clamp(r.preferred, kSmallestGroup, kLargestGroup);

  const std::uint32_t bits = best_size(moduli, r);
  if (bits == 0) {
    if (r.min > r.max) return base::fail(Errc::kInvalid, "group exchange: size out of range");
    const Agreement fallback = r.max < 3072   ? Agreement::kDhGroup14
                               : r.max < 6144 ? Agreement::kDhGroup16
                                              : Agreement::kDhGroup18;
    return crypto::dh_group(fallback);
  }
  const auto same = [&](const Modulus& m) { return m.bits == bits; };
  const auto count = static_cast<std::uint32_t>(std::count_if(moduli.begin(), moduli.end(), same));
  std::uint32_t skip = uniform(entropy, count);
  const auto chosen = std::find_if(moduli.begin(), moduli.end(),
                                   [&](const Modulus& m) { return same(m) && skip-- == 0; });
  return crypto::DhGroup{chosen->prime, chosen->generator};
}

}  // namespace sandtrap::ssh
