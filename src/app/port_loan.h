// One process opens the ports, another serves them: in containers, the one that faces attackers
// then has no network at all, since a listening socket keeps the network that it was made in. The
// lender
// (`sandtrap listen`) never reads from a socket. Both meet at <run_dir>/ports.sock.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

namespace sandtrap::app {

struct Ports {
  std::vector<base::Fd> sockets;  // bound
  base::Fd lender;                // readable at the lender's end; none where nobody lends
};
// Waits until the lender is there; a signal ends the process meanwhile.
base::Result<Ports> borrow_ports(const std::string& run_dir, base::Log& log);

// Whether `sandtrap listen` is there, or ended without taking its socket away.
bool lends_ports(const std::string& run_dir);

// One message with descriptors beside it, over a connected socket.
base::Status send_ports(int socket, const std::vector<base::Fd>& sockets);
// kInvalid: there are none, or one is no TCP socket.
base::Result<std::vector<base::Fd>> receive_ports(int socket);

}  // namespace sandtrap::app
