#include <fmt/format.h>

#include <cstdio>

#include "app/commands.h"
#include "app/configuration.h"
#include "app/host_keys.h"

namespace sandtrap::app {

int keygen(const KeygenOptions& options) {
  std::string folder = options.folder;
  if (folder.empty()) {
    const auto settings = read_configuration(options.config);
    if (!settings) return kBadConfig;
    folder = settings->server.host_key_dir;
  }
  const auto existing = existing_host_keys(folder);
  if (!existing.empty() && !options.force) {
    fmt::print(stderr,
               "sandtrap keygen: {} exists; nothing was changed. A new key makes every client that "
               "knows the old one warn its user; --force replaces all three.\n",
               existing.front());
    return kFailed;
  }
  const auto written = make_host_keys(folder, KeyFiles::kReplace);
  if (!written) {
    fmt::print(stderr, "sandtrap keygen: {}\n", written.error().context);
    return kFailed;
  }
  for (const std::string& path : *written) fmt::print("{}\n", path);
  return kOk;
}

}  // namespace sandtrap::app
