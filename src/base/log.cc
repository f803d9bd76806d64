#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <string>

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

std::string escaped(std::string_view line) {
  std::string out;
  out.reserve(line.size());
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace

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
  impl_->logger->log(to_spdlog(level), escaped(line));
}

}  // namespace sandtrap::base
