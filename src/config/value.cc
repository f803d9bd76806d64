#include "config/value.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>

namespace sandtrap::config {
namespace {

using base::Errc;
using base::fail;

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::uint64_t kSecond = 1000;
constexpr std::array<Unit, 5> kTimeUnits = {{{"d", 86400 * kSecond},
                                             {"h", 3600 * kSecond},
                                             {"m", 60 * kSecond},
                                             {"s", kSecond},
                                             {"ms", 1}}};
constexpr std::uint64_t kLongest = 36500ULL * 86400 * kSecond;
constexpr std::array<Unit, 16> kSizeUnits = {{{"TiB", 1ULL << 40},
                                              {"GiB", 1ULL << 30},
                                              {"MiB", 1ULL << 20},
                                              {"KiB", 1ULL << 10},
                                              {"T", 1ULL << 40},
                                              {"G", 1ULL << 30},
                                              {"M", 1ULL << 20},
                                              {"K", 1ULL << 10},
                                              {"t", 1ULL << 40},
                                              {"g", 1ULL << 30},
                                              {"m", 1ULL << 20},
                                              {"k", 1ULL << 10},
                                              {"kiB", 1ULL << 10},
                                              {"kib", 1ULL << 10},
                                              {"B", 1},
                                              {"", 1}}};

// Splits "60s" into 60 and "s".
base::Result<std::pair<std::uint64_t, std::string_view>> number_and_unit(std::string_view text) {
  const auto end =
      std::find_if(text.begin(), text.end(), [](char c) { return c < '0' || c > '9'; });
  const auto digits = static_cast<std::size_t>(end - text.begin());
  const auto number = parse_whole(text.substr(0, digits));
  if (!number) return tl::unexpected(number.error());
  std::string_view unit = text.substr(digits);
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  return std::pair(*number, unit);
}

}  // namespace

base::Result<std::uint64_t> parse_whole(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc::result_out_of_range) return fail(Errc::kInvalid, "is too large");
  if (error != std::errc() || stop != end) return fail(Errc::kInvalid, "is not a whole number");
  return value;
}

base::Result<double> parse_real(std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (error != std::errc() || stop != end || !std::isfinite(value)) {
    return fail(Errc::kInvalid, "is not a number");
  }
  return value;
}

base::Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto parts = number_and_unit(text);
  if (!parts) return fail(Errc::kInvalid, "is not a duration");
  const std::string_view unit = parts->second.empty() ? "s" : parts->second;
  const auto found = std::find_if(kTimeUnits.begin(), kTimeUnits.end(),
                                  [unit](const Unit& u) { return u.name == unit; });
  if (found == kTimeUnits.end()) return fail(Errc::kInvalid, "is not a duration");
  if (parts->first > kLongest / found->factor) return fail(Errc::kInvalid, "is too long");
  return std::chrono::milliseconds(static_cast<std::int64_t>(parts->first * found->factor));
}

std::string format_duration(std::chrono::milliseconds value) {
  const auto count = static_cast<std::uint64_t>(std::max<std::int64_t>(value.count(), 0));
  if (count == 0) return "0";
  for (const Unit& unit : kTimeUnits) {
    if (count % unit.factor == 0) return fmt::format("{}{}", count / unit.factor, unit.name);
  }
  return fmt::format("{}ms", count);
}

base::Result<std::uint64_t> parse_size(std::string_view text) {
  const auto parts = number_and_unit(text);
  if (!parts) return fail(Errc::kInvalid, "is not a size");
  const auto found = std::find_if(kSizeUnits.begin(), kSizeUnits.end(),
                                  [&parts](const Unit& u) { return u.name == parts->second; });
  if (found == kSizeUnits.end()) return fail(Errc::kInvalid, "is not a size");
  if (parts->first > std::numeric_limits<std::uint64_t>::max() / found->factor) {
    return fail(Errc::kInvalid, "is too large");
  }
  return parts->first * found->factor;
}

std::string format_size(std::uint64_t bytes) {
  for (const Unit& unit : std::span<const Unit>(kSizeUnits).first(4)) {
    if (bytes != 0 && bytes % unit.factor == 0) {
      return fmt::format("{}{}", bytes / unit.factor, unit.name);
    }
  }
  return fmt::format("{}", bytes);
}

base::Result<MaxStartups> parse_max_startups(std::string_view text) {
  const auto bad = [](std::string_view why) { return fail(Errc::kInvalid, std::string(why)); };
  std::array<std::uint32_t, 3> numbers{};
  std::size_t count = 0;
  for (std::string_view rest = text;; ++count) {
    if (count == 3) return bad("has more than three parts");
    const std::size_t colon = rest.find(':');
    const auto number = parse_whole(rest.substr(0, colon));
    if (!number || *number > 1'000'000) return bad("has a part that is not a number up to 1000000");
    numbers[count] = static_cast<std::uint32_t>(*number);
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  MaxStartups value;
  if (count == 1) return bad("has two parts; it needs one or three");
  if (count == 0) {  // sshd: one number means start = full
    value = {.start = numbers[0], .rate = 100, .full = numbers[0]};
  } else {
    value = {.start = numbers[0], .rate = numbers[1], .full = numbers[2]};
  }
  if (value.start == 0 || value.full < value.start) return bad("needs 1 <= start <= full");
  if (value.rate == 0 || value.rate > 100) return bad("has a rate that is not 1 to 100 percent");
  return value;
}

std::string format_max_startups(const MaxStartups& value) {
  return fmt::format("{}:{}:{}", value.start, value.rate, value.full);
}

base::Result<ListenAddress> parse_listen(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail(Errc::kInvalid, "has no port");
  std::string_view host = text.substr(0, colon);
  ListenAddress address;
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    address.v6 = true;
    host = host.substr(1, host.size() - 2);
  }
  address.host = std::string(host);
  std::array<std::uint8_t, 16> raw{};
  const bool clean = host.find('\0') == std::string_view::npos;  // inet_pton stops at a NUL
  if (!clean ||
      ::inet_pton(address.v6 ? AF_INET6 : AF_INET, address.host.c_str(), raw.data()) != 1) {
    return fail(Errc::kInvalid, "is not an IP address with a port");
  }
  const auto port = parse_whole(text.substr(colon + 1));
  if (!port || *port == 0 || *port > 65535) {
    return fail(Errc::kInvalid, "has a port that is not 1 to 65535");
  }
  address.port = static_cast<std::uint16_t>(*port);
  return address;
}

}  // namespace sandtrap::config
