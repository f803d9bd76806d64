// The part of the command line for the one who looks after a honeypot: what has come in, how the
// machine is.
#pragma once

#include <optional>

#include "cli/cli.h"

namespace CLI {
class App;
}

namespace sandtrap::cli {

struct OperatorCommandLine {
  SessionsOptions sessions;
  ReplayOptions replay;
  DoctorOptions doctor;
  StatusOptions status;
  CompletionOptions completion;

  void add(CLI::App& app);
  std::optional<Command> parsed(const CLI::App& app);  // after app.parse()
};

}  // namespace sandtrap::cli
