// The part of the command line that is about cases and their sandboxes.
#pragma once

#include <optional>

#include "cli/cli.h"

namespace CLI {
class App;
}

namespace sandtrap::cli {

struct CaseCommandLine {
  CasesOptions list;
  CaseOptions one;
  SandboxOptions sandbox;
  CleanupOptions cleanup;

  void add(CLI::App& app);
  std::optional<Command> parsed(const CLI::App& app);  // after app.parse()
};

}  // namespace sandtrap::cli
