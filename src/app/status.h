// How a honeypot on this machine is, seen from outside of it, so that it also works while a role
// hangs, and from a container that sees only some of them. Only the warden is asked, for what
// nobody else knows, and not for long.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/settings.h"

namespace sandtrap::app {

struct Usage {
  std::uint64_t bytes = 0, limit = 0, files = 0;
  bool more = false;  // there are more files than were counted
};
struct Status {
  struct Role {
    std::string name;
    bool running = false;
  };
  struct Port {
    std::string address;
    bool open = false;
  };
  struct Trouble {
    std::string time, where, what;
  };
  std::vector<Role> roles;
  std::vector<Port> ports;
  std::string engine, data_dir;
  Usage recordings, logs, preserved;
  std::uint64_t disk_free = 0, disk_least = 0;
  std::optional<Trouble> last_error;  // of the end of events.jsonl
  // The warden's figures of pool and cases, JSON (warden/control.h, "status"); why there are none.
  std::string warden, warden_silent;
  bool warden_hangs = false;  // it runs, and did not answer root
};

// `role`: of this one alone; empty: of all.
Status gather_status(const config::Settings& settings, const std::string& role);
// Every role that was asked for runs, its ports are open, the disk has room, the warden answers.
bool is_healthy(const Status& status);
std::string as_json(const Status& status);
std::string as_text(const Status& status, bool colours);

}  // namespace sandtrap::app
