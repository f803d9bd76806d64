// The command line as a value. CLI11 stays behind cli.cc.
#pragma once

#include <variant>

#include "cli/commands.h"

namespace sandtrap::cli {

struct ListenOptions {
  std::string config;
};
struct ConfigDocumentOptions {
  bool reference = false;
};
struct CompletionOptions {
  std::string shell;
};
struct RoleOptions {
  app::RoleKind role;
};
struct Finished {  // help or version was printed, or the command line was wrong
  int exit_code;
};

using Command =
    std::variant<Finished, app::ServeOptions, ListenOptions, CheckOptions, PersonasOptions,
                 KeygenOptions, ImageOptions, VerifyOptions, ConfigDocumentOptions,
                 PolicyTestOptions, SessionsOptions, ReplayOptions, DoctorOptions, StatusOptions,
                 RoleOptions, CasesOptions, CaseOptions, SandboxOptions, CleanupOptions>;

Command parse_command_line(int argc, char** argv);

}  // namespace sandtrap::cli
