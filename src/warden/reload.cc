#include "warden/reload.h"

#include <unistd.h>

#include <cerrno>

namespace sandtrap::warden {
namespace {

constexpr std::size_t kMaxText = 4U << 20;

class Comparison {
 public:
  Comparison(ReloadPlan& plan) : plan_(plan) {}

  template <class T>
  void apply(const char* name, T& mine, const T& next) {
    if (mine == next) return;
    mine = next;
    plan_.applied.emplace_back(name);
  }
  template <class T>
  void fixed(const char* name, const T& mine, const T& next) {
    if (!(mine == next)) plan_.needs_restart.emplace_back(name);
  }

 private:
  ReloadPlan& plan_;
};

}  // namespace

ReloadPlan plan_reload(const config::Settings& now, const config::Settings& next) {
  ReloadPlan plan{now, {}, {}};
  Comparison compare(plan);
  config::Settings& mine = plan.settings;
  compare.fixed("data_dir", mine.data_dir, next.data_dir);
  compare.fixed("run_dir", mine.run_dir, next.run_dir);
  compare.fixed("server.host_key_dir", mine.server.host_key_dir, next.server.host_key_dir);
  compare.fixed("server.moduli_file", mine.server.moduli_file, next.server.moduli_file);
  compare.apply("server.max_sessions", mine.server.max_sessions, next.server.max_sessions);
  compare.apply("authentication", mine.authentication, next.authentication);

  // The engine is built once; everything else of the pool may change.
  config::ContainerPool pool = next.container_pool;
  compare.fixed("container_pool.engine", mine.container_pool.engine, pool.engine);
  pool.engine = mine.container_pool.engine;
  compare.fixed("container_pool.agent_timeout", mine.container_pool.agent_timeout,
                pool.agent_timeout);
  pool.agent_timeout = mine.container_pool.agent_timeout;
  compare.apply("container_pool", mine.container_pool, pool);
  compare.apply("cases", mine.cases, next.cases);
  compare.apply("container (new sandboxes)", mine.container, next.container);
  compare.apply("preservation", mine.preservation, next.preservation);
  compare.fixed("oci", mine.oci, next.oci);
  compare.fixed("docker", mine.docker, next.docker);
  compare.apply("logging.level", mine.logging.level, next.logging.level);
  compare.fixed("logging.sensor", mine.logging.sensor, next.logging.sensor);
  return plan;
}

base::Result<std::string> read_settings_text(const base::Fd& fd) {
  std::string text;
  char block[16384];
  while (text.size() <= kMaxText) {
    const ssize_t n = ::pread(fd.get(), block, sizeof block, static_cast<off_t>(text.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno("read settings", errno);
    if (n == 0) return text;
    text.append(block, static_cast<std::size_t>(n));
  }
  return base::fail(base::Errc::kLimit, "settings are too long");
}

std::string join(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    if (!out.empty()) out += ", ";
    out += name;
  }
  return out;
}

}  // namespace sandtrap::warden
