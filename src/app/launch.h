// Starting a role process: fork and exec with exactly the descriptors of roles.h, a new session
// (Ctrl-C in the terminal reaches the supervisor alone) and default signal handling.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace sandtrap::app {

struct Launch {
  std::string program;
  std::vector<std::string> arguments;  // argv, the program's name first
  int control = -1;
  int settings = -1;
  int lock = -1;  // or none
};
// An exec that fails shows as exit status 127. Only for a process without threads.
base::Result<pid_t> launch(const Launch& what);

// A sealed anonymous file that holds `text`, to be read from its start.
base::Result<base::Fd> text_in_memory(std::string_view text);

// "exit status 1", "signal 11 (Segmentation fault)".
std::string describe_wait_status(int status);

// Writing to a closed pipe or socket gives EPIPE instead of death. A handler, not SIG_IGN: what is
// ignored stays ignored across exec, and then `yes | head` would behave oddly in a sandbox.
void survive_broken_pipes();

}  // namespace sandtrap::app
