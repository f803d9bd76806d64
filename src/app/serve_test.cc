// `sandtrap serve` whole, with the fake engine: what stands before and after, and what the gate
// does not know.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <vector>

#include "base/fd.h"

namespace sandtrap::app {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
constexpr seconds kPatience{60};

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

template <class Condition>
bool eventually(Condition condition) {
  const auto give_up = steady_clock::now() + kPatience;
  while (!condition()) {
    if (steady_clock::now() > give_up) return false;
    ::poll(nullptr, 0, 20);
  }
  return true;
}

class Serve : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "sandtrap serve needs root";
    char folder[] = "/tmp/sandtrap-serve-XXXXXX";
    folder_ = ::mkdtemp(folder);
    ::chmod(folder, 0711);  // the fake engine's processes run as another user below it
    configure("");
  }
  void TearDown() override {
    for (const pid_t pid : started_) {
      for (const auto& [role, child] : roles(pid)) ::kill(child, SIGKILL);
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  void configure(const std::string& more) const {
    std::ofstream(folder_ + "/config.yaml") << fmt::format(
        "data_dir: {0}/data\nrun_dir: {0}/run\n"
        "server: {{listen: [\"127.0.0.1:{1}\"], drain_grace: 0}}\n"
        "authentication: {{credentials: [{{user: root, password: \"{2}\"}}]}}\n"
        "container_pool: {{engine: fake, size: 1}}\n{3}",
        folder_, 20'000 + ::getpid() % 10'000, kPassword, more);
  }

  pid_t start(const std::string& log, const std::string& role = "") {
    return run(log, role.empty() ? std::vector<std::string>{"serve"}
                                 : std::vector<std::string>{"serve", "--role", role});
  }
  pid_t run(const std::string& log, std::vector<std::string> words) {
    words.insert(words.begin(), "sandtrap");
    words.insert(words.end(), {"--config", folder_ + "/config.yaml"});
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string err = folder_ + "/" + log;
    const pid_t pid = ::fork();
    if (pid == 0) {
      const base::Fd out(::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
      ::dup2(out.get(), 2);
      ::execv(SANDTRAP_BINARY, argv.data());
      ::_exit(127);
    }
    started_.push_back(pid);
    return pid;
  }
  bool is_ready(const std::string& log, const std::string& text = "sandtrap ready") const {
    return eventually(
        [&] { return contents(folder_ + "/" + log).find(text) != std::string::npos; });
  }
  int wait_exit(pid_t pid) {
    int status = -1;
    const bool ended = eventually([&] { return ::waitpid(pid, &status, WNOHANG) == pid; });
    if (!ended) return -1;
    std::erase(started_, pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }

  // Role name -> process id of the supervisor's children.
  static std::map<std::string, pid_t> roles(pid_t supervisor) {
    std::map<std::string, pid_t> found;
    std::istringstream children(contents(fmt::format("/proc/{0}/task/{0}/children", supervisor)));
    for (pid_t pid; children >> pid;) {
      const std::string words = contents(fmt::format("/proc/{}/cmdline", pid));
      for (const char* role : {"gate", "warden", "scribe"}) {
        if (words.ends_with(std::string(role) + '\0')) found[role] = pid;
      }
    }
    return found;
  }

  static bool memory_holds(pid_t pid, const std::string& text) {
    std::ifstream maps(fmt::format("/proc/{}/maps", pid));
    const base::Fd memory(::open(fmt::format("/proc/{}/mem", pid).c_str(), O_RDONLY | O_CLOEXEC));
    for (std::string line; std::getline(maps, line);) {
      std::uint64_t from = 0, to = 0;
      const char* end = line.data() + line.size();
      const auto first = std::from_chars(line.data(), end, from, 16);
      std::from_chars(first.ptr + 1, end, to, 16);
      // Beyond a gigabyte there is only the sanitizers' shadow, which holds no text.
      if (line.find(" rw") == std::string::npos || to <= from || to - from > (1U << 30)) continue;
      std::string bytes(to - from, '\0');
      const ssize_t got =
          ::pread(memory.get(), bytes.data(), bytes.size(), static_cast<off_t>(from));
      if (got > 0 && bytes.find(text) != std::string::npos) return true;
    }
    return false;
  }

  static constexpr const char* kPassword = "Xq9-only-the-warden-knows";
  std::string folder_;
  std::vector<pid_t> started_;
};

TEST_F(Serve, StandsUpAndEndsWithNothingLeft) {
  const pid_t pid = start("log");
  ASSERT_TRUE(is_ready("log")) << contents(folder_ + "/log");
  const auto children = roles(pid);
  ASSERT_EQ(children.size(), 3U);
  struct stat info {};
  ::stat((folder_ + "/data").c_str(), &info);
  EXPECT_EQ(info.st_mode & 07777, 01770U);
  EXPECT_EQ(info.st_uid, 0U);
  EXPECT_EQ(info.st_gid, 61802U);
  ::stat((folder_ + "/data/keys").c_str(), &info);
  EXPECT_EQ(info.st_mode & 07777, 0700U);
  ::kill(pid, SIGTERM);
  EXPECT_EQ(wait_exit(pid), 0) << contents(folder_ + "/log");
  for (const auto& [role, child] : children) EXPECT_NE(::kill(child, 0), 0) << role;
}

TEST_F(Serve, OnlyTheWardensMemoryHoldsTheCredentials) {
  const pid_t pid = start("log");
  ASSERT_TRUE(is_ready("log")) << contents(folder_ + "/log");
  const auto children = roles(pid);
  EXPECT_TRUE(memory_holds(children.at("warden"), kPassword)) << "or this test sees nothing";
  EXPECT_FALSE(memory_holds(children.at("gate"), kPassword));
  EXPECT_FALSE(memory_holds(children.at("scribe"), kPassword));
}

TEST_F(Serve, ASecondInstanceOnTheSameFolderIsRefused) {
  const pid_t first = start("log");
  ASSERT_TRUE(is_ready("log")) << contents(folder_ + "/log");
  const pid_t second = start("second");
  EXPECT_EQ(wait_exit(second), 1);
  EXPECT_THAT(contents(folder_ + "/second"),
              HasSubstr(fmt::format("another sandtrap (pid {}) already serves", first)));
  EXPECT_EQ(roles(first).size(), 3U);
}

TEST_F(Serve, AKilledSupervisorLeavesNoRoleAndTheNextOneStarts) {
  const pid_t first = start("log");
  ASSERT_TRUE(is_ready("log")) << contents(folder_ + "/log");
  const auto orphans = roles(first);
  ::kill(first, SIGKILL);
  wait_exit(first);
  const pid_t second = start("second");
  ASSERT_TRUE(is_ready("second")) << contents(folder_ + "/second");
  for (const auto& [role, pid] : orphans) {
    EXPECT_TRUE(eventually([p = pid] { return ::kill(p, 0) != 0; })) << role;
  }
  EXPECT_EQ(roles(second).size(), 3U);
}

TEST_F(Serve, RolesStartOneByOne) {
  const pid_t gate = start("gate-log", "gate");
  const pid_t warden = start("warden-log", "warden");
  const pid_t scribe = start("scribe-log", "scribe");
  EXPECT_TRUE(is_ready("scribe-log", "sandtrap scribe ready")) << contents(folder_ + "/scribe-log");
  EXPECT_TRUE(is_ready("warden-log", "sandtrap warden ready")) << contents(folder_ + "/warden-log");
  EXPECT_TRUE(is_ready("gate-log", "sandtrap gate ready")) << contents(folder_ + "/gate-log");
  for (const pid_t pid : {gate, warden, scribe}) {
    ::kill(pid, SIGTERM);
    EXPECT_EQ(wait_exit(pid), 0);
  }
}

TEST_F(Serve, AGateAloneMakesNoDataFolder) {
  const pid_t gate = start("gate-log", "gate");
  ASSERT_TRUE(eventually([&] { return roles(gate).size() == 1; }))
      << contents(folder_ + "/gate-log");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/data"));
}

TEST_F(Serve, AGateBorrowsItsPortsAndEndsWithTheLender) {
  std::filesystem::create_directory(folder_ + "/run");
  const pid_t gate = run("gate-log", {"serve", "--role", "gate", "--borrow-ports"});
  start("warden-log", "warden");
  start("scribe-log", "scribe");
  ASSERT_TRUE(is_ready("gate-log", "waiting for `sandtrap listen`"));
  const pid_t lender = run("listen-log", {"listen"});
  ASSERT_TRUE(is_ready("gate-log", "sandtrap gate ready")) << contents(folder_ + "/gate-log");
  const auto links = [](pid_t pid) {
    std::map<std::string, int> sockets;
    for (const auto& fd : std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", pid))) {
      std::error_code ignored;
      ++sockets[std::filesystem::read_symlink(fd, ignored).string()];
    }
    return sockets;
  };
  int shared = 0;
  const auto lent = links(lender);
  for (const auto& [name, count] : links(roles(gate).at("gate"))) {
    shared += name.starts_with("socket:") && lent.contains(name) ? 1 : 0;
  }
  EXPECT_EQ(shared, 1) << "the gate's listening socket is the lender's";
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/run/ports.sock"));
  ::kill(lender, SIGTERM);
  EXPECT_EQ(wait_exit(lender), 0);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/run/ports.sock"));
  EXPECT_EQ(wait_exit(gate), 1);
  EXPECT_THAT(contents(folder_ + "/gate-log"), HasSubstr("which lent the ports, has ended"));
}

TEST_F(Serve, OnlyAGateBorrowsPorts) {
  const pid_t pid = run("log", {"serve", "--borrow-ports"});
  EXPECT_EQ(wait_exit(pid), 2);
  EXPECT_THAT(contents(folder_ + "/log"), HasSubstr("--borrow-ports goes with --role gate"));
}

TEST_F(Serve, ReloadKeepsTheOldSettingsWhenTheNewAreBad) {
  const pid_t pid = start("log");
  ASSERT_TRUE(is_ready("log")) << contents(folder_ + "/log");
  configure("nonsense: 1\n");
  ::kill(pid, SIGHUP);
  EXPECT_TRUE(is_ready("log", "the old one stays in use")) << contents(folder_ + "/log");
  EXPECT_THAT(contents(folder_ + "/log"), HasSubstr("config.yaml:6:1: unknown key \"nonsense\""));
  configure("recording: {record_input: false}\n");
  ::kill(pid, SIGHUP);
  EXPECT_TRUE(is_ready("log", "changed: recording.record_input")) << contents(folder_ + "/log");
  EXPECT_EQ(roles(pid).size(), 3U);
}

}  // namespace
}  // namespace sandtrap::app
