// Runs one command in a sandbox to its end: input in, output out, both bounded in size and time.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "sandbox/engine.h"

namespace sandtrap::verify {

struct Command {
  std::string text;             // for the shell's -c
  std::string_view input = {};  // the caller's; lives until the end
  std::chrono::milliseconds limit{20000};
};

// What it wrote to its standard output. kTimeout: it did not end in time, and was hung up.
sandbox::Task<base::Result<std::string>> run_program(sandbox::Sandbox& sandbox, Command command);

// Standard output out of Docker's frames; the rest of a torn frame is dropped.
std::string unframed(std::string_view frames);

}  // namespace sandtrap::verify
