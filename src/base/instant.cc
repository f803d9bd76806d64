#include "base/instant.h"

#include <chrono>
#include <ctime>

namespace sandtrap::base {

Instant monotonic_now() {
  timespec ts{};
  ::clock_gettime(CLOCK_MONOTONIC, &ts);
  return Instant(std::chrono::seconds(ts.tv_sec) + std::chrono::nanoseconds(ts.tv_nsec));
}

WallTime wall_now() {
  timespec ts{};
  ::clock_gettime(CLOCK_REALTIME, &ts);
  return WallTime{static_cast<std::int64_t>(ts.tv_sec) * 1'000'000 + ts.tv_nsec / 1000};
}

// Every event has one: by arithmetic, since gmtime_r takes a lock and a format string is parsed.
std::string to_iso8601(WallTime t) {
  const std::chrono::sys_time<std::chrono::microseconds> time{std::chrono::microseconds(t.micros)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::int64_t within = (time - day).count();
  std::string out(27, ' ');
  const auto put = [&out](std::size_t at, std::size_t digits, std::int64_t value, char behind) {
    out[at + digits] = behind;
    for (std::size_t i = digits; i > 0; --i, value /= 10) {
      out[at + i - 1] = static_cast<char>('0' + value % 10);
    }
  };
  put(0, 4, static_cast<int>(date.year()), '-');
  put(5, 2, static_cast<unsigned>(date.month()), '-');
  put(8, 2, static_cast<unsigned>(date.day()), 'T');
  put(11, 2, within / 3'600'000'000, ':');
  put(14, 2, within / 60'000'000 % 60, ':');
  put(17, 2, within / 1'000'000 % 60, '.');
  put(20, 6, within % 1'000'000, 'Z');
  return out;
}

}  // namespace sandtrap::base
