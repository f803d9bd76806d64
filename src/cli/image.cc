#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "app/installation.h"
#include "cli/commands.h"

namespace sandtrap::cli {

// The script replaces this process: its progress, its exit status and Ctrl-C are then its own.
int build_image(const ImageOptions& options) {
  const auto script = app::image_script();
  if (!script) {
    fmt::print(stderr, "sandtrap image build: images/build.sh was not found near {}\n",
               app::program_folder());
    return kFailed;
  }
  if (::geteuid() != 0) {
    fmt::print(stderr,
               "sandtrap image build: needs root, for owners and modes of the files in the "
               "image\n");
    return kNoPermission;
  }
  const std::string output = options.output.empty() ? app::image_folder() : options.output;
  std::vector<std::string> words = {*script, "--output", output};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execv(script->c_str(), argv.data());
  fmt::print(stderr, "sandtrap image build: {}: {}\n", *script, std::strerror(errno));
  return kFailed;
}

}  // namespace sandtrap::cli
