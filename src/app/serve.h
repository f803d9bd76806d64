// The honeypot itself: the whole of it, one role, or the ports for a gate without a network.
#pragma once

#include <optional>
#include <string>

#include "app/roles.h"

namespace sandtrap::app {

// Exit codes of every subcommand; the last two are sysexits.h's.
inline constexpr int kOk = 0, kFailed = 1, kUsage = 2, kNoPermission = 77, kBadConfig = 78;
inline constexpr const char* kDefaultConfig = "/etc/sandtrap/config.yaml";

struct ServeOptions {
  std::string config;            // empty: kDefaultConfig if there is one, else the defaults
  std::optional<RoleKind> role;  // this one alone
  bool borrow_ports = false;     // of `sandtrap listen`; for the gate alone
};
int serve(const ServeOptions& options);

// Opens the ports and lends them to gates that have no network.
int lend_ports(const std::string& config);

// Hidden: the process of one role, started by the supervisor.
int run_role(RoleKind role);

}  // namespace sandtrap::app
