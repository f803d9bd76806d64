#include "app/guest_fit.h"

#include <fmt/format.h>

#include <fstream>

#include "app/installation.h"
#include "config/persona.h"

namespace sandtrap::app {
namespace {

std::string value_of(const std::string& line) {
  std::string value = line.substr(line.find('=') + 1);
  if (value.size() >= 2 && value.front() == '"') value = value.substr(1, value.size() - 2);
  return value;
}

// os-release(5): "debian-12".
std::string system_in(const std::string& root) {
  std::ifstream in(root + "/usr/lib/os-release");
  std::string id, version;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("ID=")) id = value_of(line);
    if (line.starts_with("VERSION_ID=")) version = value_of(line);
  }
  return id.empty() || version.empty() ? "" : id + "-" + version;
}

// A Docker image is known by its tag alone: "sandtrap-guest:debian-12".
std::string guest_system(const config::Settings& settings) {
  const std::string& engine = settings.container_pool.engine;
  if (engine == "docker") {
    const std::string& image = settings.docker.image;
    const std::size_t colon = image.rfind(':');
    return colon == std::string::npos ? "" : image.substr(colon + 1);
  }
  if (engine != "oci") return "";
  const std::string& image = settings.oci.image;
  return system_in(image.empty() ? image_folder() + "/debian-12/rootfs" : image);
}

}  // namespace

std::string persona_misfit(const config::Settings& settings) {
  const auto persona = config::persona_of(settings);
  if (!persona || persona->guest.system.empty()) return "";
  const std::string guest = guest_system(settings);
  if (guest.empty() || guest == persona->guest.system) return "";
  return fmt::format(
      "server.persona {} does not fit the guest, which is {}: whoever logs in sees the guest's own "
      "motd, PATH, packages and sftp extensions (docs/personas.md)",
      settings.server.persona, guest);
}

}  // namespace sandtrap::app
