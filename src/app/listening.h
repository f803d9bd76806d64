// The listening TCP sockets. The supervisor binds them once, or takes them from systemd, and gives
// copies to every gate; a gate listens on them when all else is ready. So they outlive every role,
// and a new gate goes on where a dead one stopped.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace sandtrap::app {

struct ListenAddress {
  sockaddr_storage address{};
  socklen_t size = 0;
};
// "192.0.2.1:22" or "[2001:db8::1]:22"; numbers only.
base::Result<ListenAddress> parse_listen(std::string_view text);

// Bound, not listening yet. kLimit: more than one message carries.
base::Result<std::vector<base::Fd>> bind_listening(const std::vector<std::string>& addresses);

bool is_tcp(int fd);

// A TCP socket of this network namespace listens on that port (proc(5), /proc/net/tcp). Nothing is
// connected to: that would be an attacker's connection in the log.
bool is_listened_to(const std::string& address);

// What a service manager opened for this process (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS, from
// descriptor 3 on); empty when there is none. Takes the variables out of the environment.
// kInvalid: one of them is no TCP socket.
base::Result<std::vector<base::Fd>> passed_sockets();

}  // namespace sandtrap::app
