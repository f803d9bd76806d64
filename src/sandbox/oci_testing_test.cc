#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "sandbox/oci_host.h"
#include "sandbox/oci_testing.h"

namespace sandtrap::sandbox::testing {
namespace fs = std::filesystem;

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

OciOptions OciFixture::options() const {
  OciOptions out;
  out.data_dir = root_ + "/data";
  out.run_dir = root_ + "/run";
  out.disk_bytes = 64U << 20;
  // For a run with another runtime or image: the tests have no settings.
  if (const char* runtime = std::getenv("SANDTRAP_TEST_RUNTIME")) out.runtime = runtime;
  if (const char* image = std::getenv("SANDTRAP_TEST_IMAGE")) out.image = image;
  return out;
}

Limits OciFixture::limits() const {
  Limits out;
  out.disk_bytes = 64U << 20;
  out.capabilities = {"CHOWN",  "SETUID", "SETGID",           "DAC_OVERRIDE", "FOWNER",
                      "FSETID", "KILL",   "NET_BIND_SERVICE", "SYS_CHROOT",   "AUDIT_WRITE"};
  out.hostname = "web01";
  return out;
}

std::unique_ptr<OciEngine> OciFixture::another_engine() {
  return std::make_unique<OciEngine>(options(), io_, log_);
}

void OciFixture::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  char name[] = "/tmp/st-oci-XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  root_ = name;
  engine_ = another_engine();
  auto prepared = run(io_, engine_->prepare());
  if (!prepared) GTEST_SKIP() << prepared.error().context;
  capabilities_ = *prepared;
}

void OciFixture::TearDown() {
  if (engine_) {
    for (Leftover& one : run(io_, engine_->recover())) run(io_, one.sandbox->destroy());
    engine_.reset();
  }
  std::error_code error;
  if (!root_.empty()) fs::remove_all(root_, error);
}

std::unique_ptr<Sandbox> OciFixture::create(const std::string& id) {
  return create(id, limits());
}

std::unique_ptr<Sandbox> OciFixture::create(const std::string& id, Limits with) {
  auto made = run(io_, engine_->create(id, std::move(with)));
  if (!made) {
    ADD_FAILURE() << made.error().context;
    return nullptr;
  }
  return std::move(*made);
}

void OciFixture::destroy(Sandbox& sandbox) {
  run(io_, sandbox.destroy());
}

Outcome OciFixture::shell(Sandbox& sandbox, const std::string& command, std::string input) {
  const ProcessSpec spec = exec_spec(command);
  auto process = run(io_, sandbox.exec(spec));
  if (!process) {
    ADD_FAILURE() << command << ": " << process.error().context;
    return {};
  }
  Conversation conversation;
  conversation.input = std::move(input);
  return converse(io_, **process, conversation);
}

std::vector<std::string> leftovers(const std::string& marker) {
  std::vector<std::string> found;
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);)
    if (line.find(marker) != std::string::npos) found.push_back("mount " + line);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/sys/block", error)) {
    const std::string file = read_text(entry.path() / "loop/backing_file");
    if (file.find(marker) != std::string::npos) found.push_back("loop " + file);
  }
  for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup", error))
    if (hierarchy.is_directory(error))
      for (const auto& group : fs::directory_iterator(hierarchy.path(), error))
        for (const auto& one : fs::directory_iterator(group.path(), error))
          if (one.path().string().find(marker) != std::string::npos)
            found.push_back("cgroup " + one.path().string());
  for (const auto& process : fs::directory_iterator("/proc", error)) {
    const std::string line = read_text(process.path() / "cmdline");
    if (line.find(marker) != std::string::npos) found.push_back("process " + line);
  }
  return found;
}

}  // namespace sandtrap::sandbox::testing
