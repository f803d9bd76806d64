#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "app/commands.h"
#include "config/persona.h"

namespace sandtrap::app {
namespace {

void print(const config::PersonaFile& file, bool legacy) {
  fmt::print("{}: {}\n", file.common.profile.name, file.common.title);
  for (const std::string& name : file.revision_names()) {
    const auto persona = file.at(name, legacy);
    if (!persona) continue;  // names of its own list are there
    fmt::print("{} {:<13} SSH-2.0-{:<40} {}\n", name == file.default_revision ? "*" : " ", name,
               persona->profile.software, config::hassh_server(persona->profile));
  }
}

}  // namespace

int list_personas(const PersonasOptions& options) {
  if (options.file.empty()) {
    for (const std::string& name : config::compiled_personas()) {
      print(*config::compiled_persona(name), options.legacy);
    }
    return kOk;
  }
  std::ifstream in(options.file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in && !in.eof()) {
    fmt::print(stderr, "sandtrap personas: {}: {}\n", options.file, std::strerror(errno));
    return kFailed;
  }
  const config::PersonaRead read = config::read_persona(text, options.file);
  for (const config::Problem& problem : read.problems) {
    fmt::print(stderr, "{}\n", config::to_string(problem));
  }
  if (!read.problems.empty()) return kBadConfig;
  print(read.file, options.legacy);
  return kOk;
}

}  // namespace sandtrap::app
