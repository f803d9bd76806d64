#include "sandbox/docker_testing.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace sandtrap::sandbox::testing {
namespace fs = std::filesystem;
namespace {

fs::path source_root() {
  return fs::path(__FILE__).parent_path().parent_path().parent_path();
}

struct Ran {
  int status = -1;
  std::string output;  // first line
};

Ran engine_script(const std::string& verb, const std::string& directory) {
  const std::string command = "exec " + (source_root() / "tools/docker-engine.sh").string() + " " +
                              verb + " " + directory + " 2>&1";
  Ran ran;
  FILE* pipe = ::popen(command.c_str(), "re");
  if (pipe == nullptr) return ran;
  std::array<char, 512> line{};
  while (std::fgets(line.data(), line.size(), pipe) != nullptr) ran.output += line.data();
  const int status = ::pclose(pipe);
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  while (!ran.output.empty() && ran.output.back() == '\n') ran.output.pop_back();
  return ran;
}

}  // namespace

EngineLease::EngineLease(const std::string& name)
    : directory_((source_root() / "build" / name).string()) {
  std::error_code error;
  fs::create_directories(directory_, error);
  users_ = base::Fd(::open((directory_ + "/users").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ::flock(users_.get(), LOCK_SH);
  const Ran running = engine_script("status", directory_);
  const bool shared = name == "docker";
  if (running.status == 0 && (shared || running.output.rfind(directory_, 0) == 0)) {
    socket_ = running.output;
    return;
  }
  const Ran started = engine_script("start", directory_);
  if (started.status != 0) {
    why_ = started.output;
    return;
  }
  std::ofstream(directory_ + "/started-by-test") << "\n";
  socket_ = started.output;
}

EngineLease::~EngineLease() {
  // Whoever is last stops it, if a test started it.
  if (::flock(users_.get(), LOCK_EX | LOCK_NB) != 0) return;
  if (fs::exists(directory_ + "/started-by-test")) {
    engine_script("stop", directory_);
    fs::remove(directory_ + "/started-by-test");
  }
}

void EngineLease::restart() {
  engine_script("stop", directory_);
  engine_script("start", directory_);
  std::ofstream(directory_ + "/started-by-test") << "\n";
}

std::string guest_archive() {
  if (const char* given = std::getenv("SANDTRAP_TEST_IMAGE")) return given;
  const fs::path built = source_root() / "build/guest/debian-12.tar";
  return fs::exists(built) ? built.string() : std::string();
}

}  // namespace sandtrap::sandbox::testing
