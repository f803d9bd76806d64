// What the settings of the configuration mean for the pool.
#include <algorithm>

#include "base/glob.h"
#include "warden/pool.h"

namespace sandtrap::warden {

namespace {

// What logs in to an Ubuntu on the wire must not land in a Debian.
std::vector<config::PoolImage> images_for(std::vector<config::PoolImage> images,
                                          const std::string& persona) {
  std::erase_if(images, [&](const config::PoolImage& one) {
    const auto fits = [&](const std::string& glob) { return base::glob_match(glob, persona); };
    return !one.personas.empty() && std::none_of(one.personas.begin(), one.personas.end(), fits);
  });
  return images;
}

}  // namespace

PoolSettings pool_settings(const config::Settings& settings) {
  const config::ContainerPool& from = settings.container_pool;
  const config::Container& box = settings.container;
  PoolSettings out;
  out.engine = from.engine;
  out.size = std::min(from.size, from.max_total);
  out.size_max = std::min(std::max(from.size, from.size_max), from.max_total);
  out.images = images_for(from.images, settings.server.persona);
  out.warm_max_age = from.warm_max_age;
  out.status_interval = from.status_interval;
  out.max_total = from.max_total;
  out.refill_concurrency = std::max(from.refill_concurrency, 1U);
  out.claim_queue = from.claim_queue;
  out.claim_timeout = from.claim_timeout;
  out.start_timeout = from.start_timeout;
  out.verify_timeout = from.verify_timeout;
  out.recheck = from.recheck_interval;
  out.backoff_first = from.backoff_first;
  out.backoff_most = from.backoff_most;
  out.account_timeout = settings.cases.account_timeout;
  out.restore_patience = settings.cases.restore_timeout;
  out.life.observe = settings.cases.observe;
  out.life.keep = settings.cases.keep;
  out.life.max_running = settings.cases.max_running;
  out.life.max_frozen = settings.cases.max_frozen;
  out.life.max_frozen_memory = settings.cases.max_frozen_memory;
  out.preserve = settings.preservation.enabled;
  out.limits.memory_bytes = box.memory_bytes;
  out.limits.cpus = box.cpus;
  out.limits.pids = box.pids;
  out.limits.disk_bytes = box.disk_bytes;
  out.limits.file_size_bytes = box.file_size_bytes;
  out.limits.open_files = box.open_files;
  out.limits.capabilities = box.capabilities;
  out.limits.no_new_privileges = box.no_new_privileges;
  out.hostnames = box.hostnames;
  return out;
}

}  // namespace sandtrap::warden
