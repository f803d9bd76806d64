// The operator's log (stderr): what the program does, never what the attacker sends unescaped.
// Passed by reference from main; no global. spdlog stays behind log.cc.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace sandtrap::base {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

// Control characters (C1 too), bytes that are no UTF-8 and marks that turn the direction of writing
// become \xNN.
std::string escaped_for_log(std::string_view line);

class Log {
 public:
  Log(std::string_view role, LogLevel level);  // lines carry time, level and "role[pid]"
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  template <class... Args>
  void debug(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(LogLevel::kDebug))
      write(LogLevel::kDebug, fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void info(fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void warn(fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::kWarn, fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void error(fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::kError, fmt::format(format, std::forward<Args>(args)...));
  }

  bool enabled(LogLevel level) const { return level >= level_; }
  void set_level(LogLevel level) { level_ = level; }

 private:
  // As escaped_for_log(): a log line never drives the operator's terminal.
  void write(LogLevel level, std::string_view line);

  struct Impl;
  std::unique_ptr<Impl> impl_;
  LogLevel level_;
};

}  // namespace sandtrap::base
