#include "app/installation.h"

#include <unistd.h>

#include <filesystem>

namespace sandtrap::app {
namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

// <tree>/build/<preset>/sandtrap
std::optional<fs::path> source_tree() {
  const fs::path tree = fs::path(program_folder()).parent_path().parent_path();
  if (is_file(tree / "images/build.sh") && is_file(tree / "CMakePresets.json")) return tree;
  return std::nullopt;
}

}  // namespace

std::string program_folder() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return error ? std::string("/usr/bin") : program.parent_path().string();
}

std::optional<std::string> image_script() {
  if (const auto tree = source_tree()) return (*tree / "images/build.sh").string();
  const fs::path installed =
      fs::path(program_folder()).parent_path() / "share/sandtrap/images/build.sh";
  if (is_file(installed)) return installed.string();
  return std::nullopt;
}

std::optional<std::string> guest_programs() {
  const auto tree = source_tree();
  const fs::path folder =
      tree ? *tree / "build/release/guest"
           : fs::path(program_folder()).parent_path() / "share/sandtrap/images/programs";
  if (is_file(folder / "login") && is_file(folder / "init")) return folder.string();
  return std::nullopt;
}

std::string image_folder() {
  if (const auto tree = source_tree()) return (*tree / "build/guest").string();
  return "/var/lib/sandtrap/images";
}

}  // namespace sandtrap::app
