#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <string>

#include "base/bytes.h"
#include "base/utf8.h"

namespace sandtrap::base {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// U+202A to U+202E and U+2066 to U+2069 turn the direction of what follows.
bool turns_direction(std::string_view utf8) {
  if (utf8.size() < 3 || utf8[0] != '\xe2') return false;
  const auto second = static_cast<unsigned char>(utf8[1]),
             third = static_cast<unsigned char>(utf8[2]);
  return (second == 0x80 && third >= 0xaa && third <= 0xae) ||
         (second == 0x81 && third >= 0xa6 && third <= 0xa9);
}

}  // namespace

std::string escaped_for_log(std::string_view line) {
  std::string out;
  out.reserve(line.size());
  const auto escape = [&out](char c) {
    out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  };
  std::size_t valid = 0;  // bytes from here on that are UTF-8
  for (; !line.empty(); line.remove_prefix(1), valid -= valid > 0 ? 1 : 0) {
    if (valid == 0) valid = utf8_valid_prefix(as_bytes(line));
    const auto byte = static_cast<unsigned char>(line[0]);
    const bool c1 = byte == 0xc2 && line.size() > 1 && static_cast<unsigned char>(line[1]) < 0xa0;
    if (valid == 0 || byte < 0x20 || byte == 0x7f) {
      escape(line[0]);
    } else if (c1 || turns_direction(line)) {
      const std::size_t more = c1 ? 1 : 2;
      for (std::size_t i = 0; i <= more; ++i) escape(line[i]);
      line.remove_prefix(more);
      valid -= more;
    } else {
      out.push_back(line[0]);
    }
  }
  return out;
}

struct Log::Impl {
  std::shared_ptr<spdlog::logger> logger;
};

Log::Log(std::string_view role, LogLevel level) : impl_(std::make_unique<Impl>()), level_(level) {
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_st>();
  impl_->logger = std::make_shared<spdlog::logger>(
      fmt::format("{}[{}]", role, static_cast<int>(::getpid())), std::move(sink));
  impl_->logger->set_level(spdlog::level::debug);
  impl_->logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%-5l%$ %n: %v",
                             spdlog::pattern_time_type::utc);
  impl_->logger->flush_on(spdlog::level::debug);
}

Log::~Log() = default;

void Log::write(LogLevel level, std::string_view line) {
  if (!enabled(level)) return;
  impl_->logger->log(to_spdlog(level), escaped_for_log(line));
}

}  // namespace sandtrap::base
