// This machine, as seen while a sandbox attacks it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "config/settings.h"
#include "net/task.h"
#include "verify/result.h"

namespace sandtrap::verify {

// Memory, processors, namespaces and so on of this machine; the settings' limits.
Facts facts_of(const config::Settings& settings, const sandbox::Capabilities& capabilities);

std::uint64_t memory_available();
std::uint64_t disk_free(const std::string& folder);

// Numbers and names that the probe looks for, as its arguments.
struct Marks {
  base::Fd listener, abstract;  // what a sandbox must not reach; open as long as this lives
  std::vector<std::string> arguments;
};
Marks make_marks(const config::Settings& settings, bool listen);

// Looks at the machine every few milliseconds from start() to stop().
class Watch : public std::enable_shared_from_this<Watch> {
 public:
  // `program`: the attacker's, as the first word of its command line.
  Watch(const boost::asio::any_io_executor& executor, std::string folder, std::string program);
  void start();
  void stop() { stopped_ = true; }
  // What was seen during the attack `name` as observations of the host's checks.
  void report(std::string_view attack, const Facts& facts, Observations& into) const;

 private:
  static net::Task<void> look(std::shared_ptr<Watch> self);
  void look_once();

  boost::asio::steady_timer timer_;
  std::string folder_, program_;
  std::optional<double> processor_limit_;
  bool stopped_ = false, terminal_failed_ = false;
  unsigned looks_ = 0;
  std::uint64_t least_memory_ = UINT64_MAX, least_disk_ = UINT64_MAX, most_tasks_ = 0;
  std::chrono::milliseconds longest_pause_{0};
};

}  // namespace sandtrap::verify
