#include "app/guest_fit.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

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

std::string guest_root(const config::Settings& settings) {
  const std::string& image = settings.oci.image;
  return image.empty() ? image_folder() + "/debian-12/rootfs" : image;
}

// Empty: it cannot be read.
std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
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
  return system_in(guest_root(settings));
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

std::string program_misfit(const config::Settings& settings) {
  const auto programs = guest_programs();
  if (settings.container_pool.engine != "oci" || !programs) return "";
  const std::string root = guest_root(settings);
  // Where images/dress.sh puts them.
  const std::pair<const char*, const char*> pairs[] = {{"/login", "/usr/lib/openssh/sshd-session"},
                                                       {"/init", "/usr/lib/systemd/systemd"}};
  for (const auto& [ours, inside] : pairs) {
    const std::string given = contents(*programs + ours), there = contents(root + inside);
    if (given.empty() || there.empty() || given == there) continue;
    return fmt::format(
        "the guest's image {} holds programs of another version ({}): `sandtrap image build` "
        "renews it",
        root, inside);
  }
  return "";
}

}  // namespace sandtrap::app
