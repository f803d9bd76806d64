#include "verify/host.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <fstream>
#include <sstream>
#include <thread>

#include "verify/cgroup.h"

namespace sandtrap::verify {
namespace {

constexpr std::chrono::milliseconds kInterval{20};
constexpr std::uint64_t kMebi = 1 << 20;

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::uint64_t number_in(const std::string& path) {
  std::uint64_t value = 0;
  std::ifstream(path) >> value;
  return value;
}

std::uint64_t meminfo(std::string_view key) {
  std::ifstream file("/proc/meminfo");
  std::string word;
  std::uint64_t kilobytes = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    if (fields >> word >> kilobytes && word == key) return kilobytes << 10;
  }
  return 0;
}

// "0.00 0.01 0.05 1/123 456": the tasks of the whole machine.
std::uint64_t tasks() {
  const std::string text = text_of("/proc/loadavg");
  const auto slash = text.find('/');
  return slash == std::string::npos ? 0 : std::strtoull(text.c_str() + slash + 1, nullptr, 10);
}

std::int64_t namespace_number(const std::string& kind) {
  char link[64] = "";
  const ssize_t length = ::readlink(("/proc/self/ns/" + kind).c_str(), link, sizeof link - 1);
  const std::string_view text(link, length > 0 ? static_cast<std::size_t>(length) : 0);
  const auto bracket = text.find('[');
  return bracket == std::string_view::npos ? 0 : std::strtoll(link + bracket + 1, nullptr, 10);
}

Observation seen(bool good, std::string detail) {
  Observation out;
  out.kind = good ? Observation::Kind::kRefused : Observation::Kind::kDone;
  out.detail = std::move(detail);
  return out;
}

}  // namespace

std::uint64_t memory_available() {
  return meminfo("MemAvailable:");
}

std::uint64_t disk_free(const std::string& folder) {
  struct statvfs info {};
  if (::statvfs(folder.c_str(), &info) != 0) return 0;
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

Facts facts_of(const config::Settings& settings, const sandbox::Capabilities& capabilities) {
  const config::Container& c = settings.container;
  Facts facts;
  facts.engine = capabilities.engine;
  facts.user_namespace = capabilities.user_namespace;
  facts.exact_disk_limit = capabilities.exact_disk_limit;
  facts.limits.memory_bytes = c.memory_bytes;
  facts.limits.cpus = c.cpus;
  facts.limits.pids = c.pids;
  facts.limits.disk_bytes = c.disk_bytes;
  facts.limits.file_size_bytes = c.file_size_bytes;
  facts.limits.open_files = c.open_files;
  facts.limits.capabilities = c.capabilities;
  facts.limits.no_new_privileges = c.no_new_privileges;
  if (!c.hostnames.empty()) facts.limits.hostname = c.hostnames.front();
  facts.memory_total = meminfo("MemTotal:");
  facts.processes_max =
      std::min(number_in("/proc/sys/kernel/pid_max"), number_in("/proc/sys/kernel/threads-max"));
  facts.cores = std::max(1U, std::thread::hardware_concurrency());
  facts.terminals_max = static_cast<std::int64_t>(number_in("/proc/sys/kernel/pty/max"));
  facts.terminals_reserve = static_cast<std::int64_t>(number_in("/proc/sys/kernel/pty/reserve"));
  const std::pair<const char*, const char*> kinds[] = {
      {"pid", "pid"}, {"network", "net"}, {"mount", "mnt"},    {"ipc", "ipc"},
      {"uts", "uts"}, {"user", "user"},   {"cgroup", "cgroup"}};
  for (const auto& [word, kind] : kinds)
    facts.namespaces[fmt::format("own-{}-namespace", word)] = namespace_number(kind);
  return facts;
}

Watch::Watch(const boost::asio::any_io_executor& executor, std::string folder, std::string program)
    : timer_(executor), folder_(std::move(folder)), program_(std::move(program)) {}

void Watch::start() {
  net::asio::co_spawn(timer_.get_executor(), look(shared_from_this()), net::asio::detached);
}

net::Task<void> Watch::look(std::shared_ptr<Watch> self) {
  while (!self->stopped_) {
    self->look_once();
    const auto before = std::chrono::steady_clock::now();
    self->timer_.expires_after(kInterval);
    co_await self->timer_.async_wait(net::use_ec);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - before);
    self->longest_pause_ = std::max(self->longest_pause_, took);
  }
}

void Watch::look_once() {
  ++looks_;
  least_memory_ = std::min(least_memory_, memory_available());
  least_disk_ = std::min(least_disk_, disk_free(folder_));
  most_tasks_ = std::max(most_tasks_, tasks());
  const base::Fd terminal(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal) terminal_failed_ = true;
  if (!processor_limit_) processor_limit_ = processor_limit_of(program_);
}

void Watch::report(std::string_view attack, const Facts& facts, Observations& into) const {
  if (looks_ == 0) return;
  if (attack == "limit-processes") {
    into["host-processes"] =
        seen(most_tasks_ < facts.processes_max / 2,
             fmt::format("at most {} of {} in use", most_tasks_, facts.processes_max));
  } else if (attack == "limit-cpu" && processor_limit_) {
    const double limit = *processor_limit_;
    into["host-cpu-limit"] = seen(limit > 0 && limit<facts.limits.cpus + 0.005, limit> 0
                                      ? fmt::format("a quota of {:.2f} cores", limit)
                                      : "no quota");
  } else if (attack == "limit-memory") {
    into["host-memory"] = seen(least_memory_ > facts.memory_total / 20,
                               fmt::format("at least {} MiB free", least_memory_ / kMebi));
  } else if (attack == "limit-disk") {
    struct statvfs info {};
    const bool known = ::statvfs(folder_.c_str(), &info) == 0;
    const std::uint64_t size = static_cast<std::uint64_t>(info.f_blocks) * info.f_frsize;
    into["host-disk"] = seen(known && least_disk_ > size / 20,
                             fmt::format("at least {} MiB free", least_disk_ / kMebi));
  } else if (attack == "limit-terminals") {
    into["host-terminals"] = seen(!terminal_failed_, fmt::format("tried {} times", looks_));
  }
  Observation& answers = into["host-answers"];
  const auto longest = std::max<std::int64_t>(answers.number, longest_pause_.count());
  answers = seen(longest < 2000, fmt::format("longest pause {} ms", longest));
  answers.number = longest;
}

}  // namespace sandtrap::verify
