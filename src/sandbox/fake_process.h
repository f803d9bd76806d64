// A real process of this host behind the Process interface: FakeEngine's only kind.
#pragma once

#include <string>
#include <vector>

#include "sandbox/engine.h"

namespace sandtrap::sandbox {

struct FakeLaunch {
  std::string directory;  // working directory and HOME
  uid_t uid = 0;
  bool drop = false;  // change to uid
  std::string program;
  std::vector<std::string> argv, env;
  std::optional<Terminal> terminal;
};

// Children whose Process was dropped before anyone waited for them; swept at each launch and drop,
// so that none stays a zombie for longer than the next use.
class Graveyard {
 public:
  ~Graveyard();  // kills and reaps what is left
  void bury(base::Fd pidfd);
  void sweep();

 private:
  std::vector<base::Fd> pidfds_;
};

base::Result<std::unique_ptr<Process>> launch_fake(const FakeLaunch& launch,
                                                   std::shared_ptr<Graveyard> graveyard);

// Applies RFC 4254 §8 modes and the size to the terminal `fd`; unknown opcodes are skipped.
void apply_terminal(int fd, const Terminal& terminal);

}  // namespace sandtrap::sandbox
