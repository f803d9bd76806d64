// The preserved sandboxes on disk: knows them all, and removes those that retention gives up.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/log.h"
#include "config/settings.h"
#include "event/event_log.h"
#include "sandbox/engine.h"
#include "warden/retention.h"
#include "warden/tasks.h"

namespace sandtrap::warden {

// Reads <directory>/*/sandbox.json and how much disk each takes. Blocking, bounded; follows no link
// that an attacker may have left. Run it outside the loop.
std::vector<Kept> scan_preserved(const std::string& directory);

class PreservedSandboxes {
 public:
  // All references outlive this.
  PreservedSandboxes(net::asio::any_io_executor executor, sandbox::Engine& engine,
                     config::Preservation settings, event::EventLog& events, base::Log& log);

  void add(Kept kept);
  void add(std::vector<Kept> found);
  // It is to be started again, or was removed by somebody else.
  void forget(const std::string& reference);
  void on_removed(std::function<void(const std::string& reference)> callback) {
    on_removed_ = std::move(callback);
  }
  void configure(config::Preservation settings);
  // Removes what must go now; call from time to time, because age grows by itself.
  void sweep();
  // By hand, at once. What was removed.
  net::Task<std::vector<Kept>> cleanup(Cleanup wanted);
  net::Task<base::Status> remove_now(std::string reference);
  const std::vector<Kept>& kept() const { return kept_; }
  bool idle() const { return !sweeping_; }

 private:
  net::Task<void> remove(std::vector<Kept> gone);

  sandbox::Engine& engine_;
  config::Preservation settings_;
  event::EventLog& events_;
  base::Log& log_;
  Tasks tasks_;
  std::vector<Kept> kept_;
  bool sweeping_ = false;
  std::function<void(const std::string&)> on_removed_;
};

}  // namespace sandtrap::warden
