#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>

#include "app/commands.h"
#include "app/configuration.h"
#include "app/guest_fit.h"
#include "config/document.h"
#include "config/persona.h"

namespace sandtrap::app {

int check(const std::string& config) {
  const auto settings = read_configuration(config);
  if (!settings) return kBadConfig;
  const config::Settings& s = *settings;
  const auto& after = s.authentication.accept_after_failures;
  fmt::print("{}: good\n", config);
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
  for (const std::string& misfit : {persona_misfit(s), program_misfit(s)}) {
    if (!misfit.empty()) fmt::print(stderr, "warning: {}\n", misfit);
  }
  return kOk;
}

int print_config_document(bool reference) {
  fmt::print("{}", reference ? config::reference_document() : config::example_file());
  return kOk;
}

}  // namespace sandtrap::app
