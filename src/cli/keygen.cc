// `sandtrap keygen`.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>

#include "app/configuration.h"
#include "app/host_keys.h"
#include "cli/commands.h"
#include "cli/json_output.h"
#include "config/persona.h"

namespace sandtrap::cli {
namespace json = boost::json;

int keygen(const KeygenOptions& options) {
  std::string folder = options.folder;
  std::vector<std::string> kinds = config::compiled_persona("debian-12")->common.host_keys;
  if (folder.empty()) {
    const auto settings = app::read_configuration(options.config);
    if (!settings) return kBadConfig;
    folder = settings->server.host_key_dir;
    kinds = config::persona_of(*settings)->host_keys;
  }
  const auto existing = app::existing_host_keys(folder);
  if (!existing.empty() && !options.force) {
    fmt::print(stderr,
               "sandtrap keygen: {} exists; nothing was changed. A new key makes every client that "
               "knows the old one warn its user; --force replaces them all.\n",
               existing.front());
    return kFailed;
  }
  const auto written = app::make_host_keys(folder, app::KeyFiles::kReplace, kinds);
  if (!written) {
    fmt::print(stderr, "sandtrap keygen: {}\n", written.error().context);
    return kFailed;
  }
  if (options.json) {
    print_json(json::object{{"keys", json::array(written->begin(), written->end())}});
    return kOk;
  }
  for (const std::string& path : *written) fmt::print("{}\n", path);
  return kOk;
}

}  // namespace sandtrap::cli
