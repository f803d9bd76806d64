// `sandtrap check`.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json.hpp>
#include <cstdio>

#include "app/configuration.h"
#include "app/guest_fit.h"
#include "cli/commands.h"
#include "cli/json_output.h"
#include "cli/printable.h"
#include "config/document.h"
#include "config/persona.h"

namespace sandtrap::cli {
namespace json = boost::json;
namespace {

std::vector<std::string> warnings_of(const config::Settings& s) {
  std::vector<std::string> out;
  for (std::string& misfit : std::vector{app::persona_misfit(s), app::program_misfit(s)}) {
    if (!misfit.empty()) out.push_back(std::move(misfit));
  }
  return out;
}

void print_settings(const std::string& file, const config::Settings& s) {
  const auto& after = s.authentication.accept_after_failures;
  fmt::print("{}: good\n", file);
  fmt::print("  listens on       {}\n", fmt::join(s.server.listen, ", "));
  fmt::print("  looks like       {} {}{}, hasshServer {}\n", s.server.persona,
             s.server.persona_revision, s.server.legacy ? " with legacy algorithms" : "",
             config::hassh_server(config::persona_of(s)->profile));
  fmt::print("  lets in          {} credentials{}\n", s.authentication.credentials.size(),
             after ? fmt::format(", and anyone after {} failed attempts", *after) : "");
  fmt::print("  sandboxes        {} ready, at most {}, engine {}\n", s.container_pool.size,
             s.container_pool.max_total, s.container_pool.engine);
  fmt::print("  each has         {} MiB memory, {} cores, {} processes\n",
             s.container.memory_bytes >> 20, s.container.cpus, s.container.pids);
  fmt::print("  recording        {}\n", !s.recording.enabled       ? "off"
                                        : s.recording.record_input ? "output and input"
                                                                   : "output only");
  fmt::print("  data folder      {}\n", s.data_dir);
}

json::object to_json(const config::Settings& s) {
  const auto& after = s.authentication.accept_after_failures;
  json::object out;
  out["listen"] = json::array(s.server.listen.begin(), s.server.listen.end());
  out["persona"] = s.server.persona;
  out["persona_revision"] = s.server.persona_revision;
  out["legacy"] = s.server.legacy;
  out["hassh_server"] = config::hassh_server(config::persona_of(s)->profile);
  out["credentials"] = s.authentication.credentials.size();
  out["accept_after_failures"] = after ? json::value(*after) : json::value(nullptr);
  out["engine"] = s.container_pool.engine;
  out["pool_size"] = s.container_pool.size;
  out["max_total"] = s.container_pool.max_total;
  out["memory_bytes"] = s.container.memory_bytes;
  out["cpus"] = s.container.cpus;
  out["pids"] = s.container.pids;
  out["recording"] = s.recording.enabled;
  out["record_input"] = s.recording.enabled && s.recording.record_input;
  out["data_dir"] = s.data_dir;
  out["run_dir"] = s.run_dir;
  return out;
}

json::array to_json(const std::vector<config::Problem>& problems) {
  json::array out;
  for (const config::Problem& one : problems) {
    out.emplace_back(json::object{{"file", printable(one.file)},
                                  {"line", one.line},
                                  {"column", one.column},
                                  {"text", one.text}});
  }
  return out;
}

}  // namespace

int check(const CheckOptions& options) {
  const config::LoadResult loaded = app::load_configuration(options.config);
  const bool good = loaded.problems.empty();
  const auto warnings = good ? warnings_of(loaded.settings) : std::vector<std::string>();
  if (options.json) {
    json::object out{{"good", good},
                     {"file", printable(options.config)},
                     {"problems", to_json(loaded.problems)},
                     {"warnings", json::array(warnings.begin(), warnings.end())}};
    out["settings"] = good ? json::value(to_json(loaded.settings)) : json::value(nullptr);
    print_json(out);
  } else if (good) {
    print_settings(options.config, loaded.settings);
  }
  for (const config::Problem& one : loaded.problems) {
    fmt::print(stderr, "{}\n", config::to_string(one));
  }
  for (const std::string& one : warnings) fmt::print(stderr, "warning: {}\n", one);
  return good ? kOk : kBadConfig;
}

int print_config_document(bool reference) {
  fmt::print("{}", reference ? config::reference_document() : config::example_file());
  return kOk;
}

}  // namespace sandtrap::cli
