// `sandtrap personas`.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "cli/commands.h"
#include "cli/json_output.h"
#include "config/persona.h"

namespace sandtrap::cli {
namespace json = boost::json;
namespace {

struct Row {
  std::string revision, banner, hassh;
  bool is_default = false;
};

std::vector<Row> rows_of(const config::PersonaFile& file, bool legacy) {
  std::vector<Row> out;
  for (const std::string& name : file.revision_names()) {
    const auto persona = file.at(name, legacy);
    if (!persona) continue;  // names of its own list are there
    out.push_back({name, "SSH-2.0-" + persona->profile.software,
                   config::hassh_server(persona->profile), name == file.default_revision});
  }
  return out;
}

json::object to_json(const config::PersonaFile& file, bool legacy) {
  json::array revisions;
  for (const Row& row : rows_of(file, legacy)) {
    revisions.emplace_back(json::object{{"name", row.revision},
                                        {"banner", row.banner},
                                        {"hassh_server", row.hassh},
                                        {"default", row.is_default}});
  }
  return {{"name", file.common.profile.name},
          {"title", file.common.title},
          {"revisions", std::move(revisions)}};
}

void print(const config::PersonaFile& file, bool legacy) {
  fmt::print("{}: {}\n", file.common.profile.name, file.common.title);
  for (const Row& row : rows_of(file, legacy)) {
    fmt::print("{} {:<13} {:<48} {}\n", row.is_default ? "*" : " ", row.revision, row.banner,
               row.hassh);
  }
}

void print(const std::vector<const config::PersonaFile*>& files, const PersonasOptions& options) {
  json::array out;
  for (const config::PersonaFile* file : files) {
    if (!options.json) print(*file, options.legacy);
    if (options.json) out.emplace_back(to_json(*file, options.legacy));
  }
  if (options.json) print_json(out);
}

}  // namespace

int list_personas(const PersonasOptions& options) {
  if (options.file.empty()) {
    std::vector<const config::PersonaFile*> all;
    for (const std::string& name : config::compiled_personas()) {
      all.push_back(config::compiled_persona(name));
    }
    print(all, options);
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
  print({&read.file}, options);
  return kOk;
}

}  // namespace sandtrap::cli
