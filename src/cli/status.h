// How a honeypot on this machine is, seen from outside of it, so that it also works while a role
// hangs, and from a container that sees only some of them. Only the warden is asked, for what
// nobody else knows, and not for long.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/settings.h"

namespace sandtrap::cli {

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
    bool lent = false;  // by `sandtrap listen`, which runs in another network: not to be seen here
  };
  struct Trouble {
    std::string time, where, what;
  };
  std::vector<Role> roles;
  std::vector<Port> ports;
  std::string engine, data_dir;
  bool sees_data = false;  // what follows was looked at, the usage only if `counted`
  bool counted = false;
  Usage recordings, logs, preserved;
  std::uint64_t disk_free = 0, disk_least = 0;
  std::optional<Trouble> last_error;  // of the end of events.jsonl
  // The warden's figures of pool and cases, JSON (warden/control.h, "status"); why there are none.
  std::string warden, warden_silent;
  bool warden_hangs = false;  // it runs, and did not answer root
};

struct StatusView {
  std::string role;    // of this one alone, or "port": of the ports alone; empty: of all
  bool brief = false;  // without what takes long: files are not counted
  // Nothing but whether the roles' locks are held, or whether ports are lent: no setting but
  // run_dir is known.
  bool locks_alone = false;
};
// What a container of one role lacks is not looked at: a gate has no data folder and asks nobody.
Status gather_status(const config::Settings& settings, const StatusView& view);
// Every role that was asked for runs, its ports are open, the disk has room, the warden answers.
bool is_healthy(const Status& status);
std::string as_json(const Status& status);
std::string as_text(const Status& status, bool colours);

}  // namespace sandtrap::cli
