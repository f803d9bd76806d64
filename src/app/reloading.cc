#include "app/reloading.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>

#include "app/configuration.h"
#include "config/document.h"

namespace sandtrap::app {
namespace {

// What the supervisor itself works with: a change of it needs a restart of everything, so running
// roles and those started later must go on with the old values.
void keep_fixed(const config::Settings& running, config::Settings& next) {
  next.data_dir = running.data_dir;
  next.run_dir = running.run_dir;
  next.server.listen = running.server.listen;
  next.server.host_key_dir = running.server.host_key_dir;
  next.server.moduli_file = running.server.moduli_file;
  next.server.persona = running.server.persona;
  next.server.persona_revision = running.server.persona_revision;
  next.server.persona_file = running.server.persona_file;
  next.server.persona_document = running.server.persona_document;
  next.server.legacy = running.server.legacy;
  next.server.gates = running.server.gates;
  next.server.gate_user = running.server.gate_user;
  next.server.scribe_user = running.server.scribe_user;
}

}  // namespace

bool containment_changes(const config::Settings& running, const config::Settings& next) {
  constexpr std::string_view kParts[] = {"container.", "oci.", "docker.", "container_pool.engine",
                                         "verify_"};
  for (const std::string& key : config::changed_keys(running, next)) {
    for (const std::string_view part : kParts) {
      if (key.starts_with(part)) return true;
    }
  }
  return false;
}

bool Reloading::read() {
  auto next = read_configuration(file_);
  if (!next) {
    log_.error("SIGHUP: the configuration has the problems above; the old one stays in use");
    return false;
  }
  const config::Settings wanted = *next;
  keep_fixed(*running_, *next);
  const auto fixed = config::changed_keys(*next, wanted);
  const auto changed = config::changed_keys(*running_, *next);
  if (!fixed.empty()) {
    log_.warn("SIGHUP: sandtrap must be started anew for: {}", fmt::join(fixed, ", "));
  }
  if (changed.empty()) {
    log_.info("SIGHUP: nothing else has changed");
    return false;
  }
  log_.info("SIGHUP: changed: {}", fmt::join(changed, ", "));
  next_ = std::move(*next);
  return true;
}

std::optional<std::string> Reloading::to_verify() {
  if (next_->container_pool.engine == "fake" || !containment_changes(*running_, *next_)) {
    return std::nullopt;
  }
  if (!next_->verify_at_start) {
    log_.warn("verify_at_start is off: nobody has tried whether a sandbox of these settings holds");
    return std::nullopt;
  }
  return config::dump(*next_, config::Audience::kEveryone);
}

void Reloading::settle(bool good) {
  if (good) {
    *running_ = std::move(*next_);
    log_.set_level(log_level(*running_));
  }
  next_.reset();
}

}  // namespace sandtrap::app
