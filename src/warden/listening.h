// The listening TCP sockets. The warden opens them once and gives copies to every gate, so that a
// new gate goes on where a dead one stopped.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace sandtrap::warden {

struct ListenAddress {
  sockaddr_storage address{};
  socklen_t size = 0;
};
// "192.0.2.1:22" or "[2001:db8::1]:22"; numbers only.
base::Result<ListenAddress> parse_listen(std::string_view text);

// `share`: a former warden of this same supervisor may have left its sockets with the gates; then
// the new ones join theirs (SO_REUSEPORT) until the gates have changed over. Without it, an address
// in use is an error, also when another SandTrap uses it.
base::Result<std::vector<base::Fd>> open_listening(const std::vector<std::string>& addresses,
                                                   bool share);

// Whether the process `supervisor` had a warden before us that came to listen, and the note in
// `run_dir` that it now has.
bool listened_before(const std::string& run_dir, int supervisor);
void note_listening(const std::string& run_dir, int supervisor);

}  // namespace sandtrap::warden
