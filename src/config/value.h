// Scalars of the settings as people write them, and back. Pure. Errors carry only what is wrong;
// the caller adds the key and what is allowed.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "config/settings.h"

namespace sandtrap::config {

// "1500ms", "60s", "5m", "24h", "30d"; a plain number is seconds. Up to 100 years.
base::Result<std::chrono::milliseconds> parse_duration(std::string_view text);
std::string format_duration(std::chrono::milliseconds value);  // the largest unit without remainder

// "512k", "256MiB", "1GiB", "2T"; a plain number is bytes. Units are powers of 1024.
base::Result<std::uint64_t> parse_size(std::string_view text);
std::string format_size(std::uint64_t bytes);

// "10:30:100" or "100", as MaxStartups in sshd_config(5).
base::Result<MaxStartups> parse_max_startups(std::string_view text);
std::string format_max_startups(const MaxStartups& value);

// "192.0.2.1:22" or "[2001:db8::1]:22": an address, never a name, so that a start needs no DNS.
struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
  bool v6 = false;
};
base::Result<ListenAddress> parse_listen(std::string_view text);

// Whole decimal number, no sign, no leading "+".
base::Result<std::uint64_t> parse_whole(std::string_view text);
base::Result<double> parse_real(std::string_view text);

// A YAML scalar that reads back as exactly this text: plain where that is safe, else "quoted".
std::string yaml_text(std::string_view text);
// For messages: quoted, control characters escaped, cut at 60 bytes.
std::string quoted_for_people(std::string_view text);

// The candidate that a person most likely meant, or "" if none is near.
std::string_view nearest(std::string_view wrong, const std::vector<std::string_view>& candidates);

}  // namespace sandtrap::config
