// The folders that must stand before a role starts, and the locks that keep two instances apart.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "app/roles.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "config/settings.h"

namespace sandtrap::app {

struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
};
// "61802", or a name of /etc/passwd; never root. A number is its own group.
base::Result<Account> find_account(const std::string& user);

// data_dir root:<scribe> 1770: the scribe creates files in it, and cannot remove what is root's.
// run_dir root 0711: the sandboxes' user namespace passes through it; run_dir/empty 0555.
// A gate alone needs neither: it gets no data_dir, and a run_dir that exists stays as it is.
base::Status make_folders(const config::Settings& settings, const std::vector<RoleKind>& roles);

struct Locks {
  std::vector<base::Fd> own;           // this supervisor's; gone with it
  std::map<RoleKind, base::Fd> roles;  // inherited by the role processes
};
// kExists if another instance serves this data folder. Waits a little for role processes of a
// supervisor that was killed: they end by themselves. A gate alone on a read-only run_dir
// shares its lock with others like it, which only says that it lives, and starts without one where
// it cannot be had: the port can be bound only once.
base::Result<Locks> take_locks(const config::Settings& settings, const std::vector<RoleKind>& roles,
                               base::Log& log);

}  // namespace sandtrap::app
