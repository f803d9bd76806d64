// The whole role over FakeEngine, in a process of its own as the supervisor would start it.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>

#include "net/channel.h"
#include "net/task.h"
#include "sandbox/fake_engine.h"
#include "warden/reload.h"
#include "warden/warden.h"

namespace sandtrap::warden {
namespace {

using namespace std::chrono_literals;

class RoleTest : public testing::Test {
 protected:
  RoleTest() {
    char path[] = "/tmp/sandtrap-role-XXXXXX";
    root = ::mkdtemp(path);
    ::chmod(path, 0711);  // FakeEngine's user has to pass
    settings.data_dir = root;
    settings.run_dir = root + "/run";
    std::filesystem::create_directory(settings.run_dir);  // as the supervisor does
    settings.container_pool.engine = "fake";
    settings.container_pool.size = 1;
  }
  ~RoleTest() override {
    if (child > 0) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
    std::error_code error;
    std::filesystem::remove_all(root, error);
  }

  void start() {
    auto pair = net::channel_pair();
    ASSERT_TRUE(pair);
    child = ::fork();
    if (child == 0) {
      pair->second.reset();
      base::Log log("warden", base::LogLevel::kError);
      const std::string folder = root;
      const EngineFactory factory = [folder](const config::Settings&, boost::asio::io_context&,
                                             base::Log& l) -> std::unique_ptr<sandbox::Engine> {
        sandbox::FakeOptions options;
        options.root = folder + "/engine";
        options.preserved = folder + "/preserved";
        return std::make_unique<sandbox::FakeEngine>(options, l);
      };
      ::_exit(run(settings, std::move(pair->first), factory, log));
    }
    pair->first.reset();
    control = std::make_unique<net::Channel>(loop.get_executor(), std::move(pair->second));
  }
  // The next packet from `channel`, or none when it ends.
  std::optional<net::Packet> next(net::Channel& channel) {
    std::optional<net::Packet> got;
    bool done = false;
    co_spawn(
        loop,
        [](net::Channel* c, std::optional<net::Packet>* out, bool* end) -> net::Task<void> {
          auto packet = co_await c->receive();
          if (packet) *out = std::move(*packet);
          *end = true;
        }(&channel, &got, &done),
        net::asio::detached);
    loop.restart();
    const auto limit = std::chrono::steady_clock::now() + 20s;
    while (!done && std::chrono::steady_clock::now() < limit) loop.run_one_for(50ms);
    return got;
  }
  std::unique_ptr<net::Channel> connect(const std::string& role) {
    auto pair = net::channel_pair();
    std::vector<base::Fd> fds;
    fds.push_back(std::move(pair->first));
    EXPECT_TRUE(control->send(ipc::PeerConnected{role}, std::move(fds)));
    return std::make_unique<net::Channel>(loop.get_executor(), std::move(pair->second));
  }
  int wait_exit() {
    int status = 0;
    ::waitpid(std::exchange(child, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::size_t sandboxes(const std::string& where) const {
    std::size_t n = 0;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(where, error)) {
      n += entry.path().filename().string().size() == 12 ? 1U : 0U;
    }
    return n;
  }

  std::string root;
  config::Settings settings;
  net::asio::io_context loop;
  std::unique_ptr<net::Channel> control;
  pid_t child = -1;
};

TEST_F(RoleTest, BecomesReadyServesAGateAndDrainsToNothing) {
  start();
  auto gate = connect("gate");
  auto scribe = connect("scribe");
  const auto asked = next(*scribe);
  ASSERT_TRUE(asked && std::holds_alternative<ipc::OpenEventLog>(asked->message));
  auto welcome = next(*gate);
  ASSERT_TRUE(welcome && std::holds_alternative<ipc::Welcome>(welcome->message));
  const auto ready = next(*control);
  ASSERT_TRUE(ready && std::holds_alternative<ipc::RoleReady>(ready->message));
  EXPECT_EQ(sandboxes(root + "/engine"), 1U);

  ASSERT_TRUE(control->send(ipc::Drain{0}));
  const auto drained = next(*control);
  ASSERT_TRUE(drained && std::holds_alternative<ipc::RoleDrained>(drained->message));
  EXPECT_EQ(wait_exit(), 0);
  EXPECT_EQ(sandboxes(root + "/engine"), 0U);
}

TEST_F(RoleTest, EndsCleanlyWithItsSupervisor) {
  start();
  ASSERT_TRUE(next(*control));  // RoleReady
  control->close();
  EXPECT_EQ(wait_exit(), 0);
  EXPECT_EQ(sandboxes(root + "/engine"), 0U);
}

TEST_F(RoleTest, AfterAKillItsSuccessorAdoptsTheSandbox) {
  start();
  auto gate = connect("gate");
  auto welcome = next(*gate);
  ASSERT_TRUE(welcome);
  const std::string id = "0123456789ab";
  ASSERT_TRUE(gate->send(ipc::SessionOpened{id, "192.0.2.1", 5, "192.0.2.9", 22}));
  const auto assigned = next(*gate);
  const std::string case_id = std::get<ipc::CaseAssigned>(assigned->message).case_id;
  for (const char* secret : {"a", "b", "c"}) {
    ipc::Authenticate login;
    login.session = id;
    login.user = "root";
    login.method = "password";
    login.secret = secret;
    ASSERT_TRUE(gate->send(login));
    ASSERT_TRUE(next(*gate));
  }
  ipc::OpenProcess shell;
  shell.session = id;
  shell.has_pty = true;
  ASSERT_TRUE(gate->send(shell));
  const auto opened = next(*gate);
  ASSERT_TRUE(opened && std::holds_alternative<ipc::ProcessOpened>(opened->message));
  const std::string sandbox = std::get<ipc::ProcessOpened>(opened->message).sandbox;
  const std::string label = root + "/engine/state/" + sandbox + "/label.json";
  for (int i = 0; i < 500 && !std::filesystem::exists(label); ++i) ::poll(nullptr, 0, 10);
  ASSERT_TRUE(std::filesystem::exists(label));

  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  start();
  gate = connect("gate");
  ASSERT_TRUE(next(*gate));
  ASSERT_TRUE(gate->send(ipc::SessionResumed{id, "192.0.2.1", "root", 5, true, {0}}));
  const auto again = next(*gate);
  ASSERT_TRUE(again);
  EXPECT_EQ(std::get<ipc::CaseAssigned>(again->message).case_id, case_id);
  shell.channel = 1;
  ASSERT_TRUE(gate->send(shell));
  const auto reopened = next(*gate);
  ASSERT_TRUE(reopened && std::holds_alternative<ipc::ProcessOpened>(reopened->message));
  EXPECT_EQ(std::get<ipc::ProcessOpened>(reopened->message).sandbox, sandbox);
  ASSERT_TRUE(control->send(ipc::Drain{0}));
  EXPECT_EQ(wait_exit(), 0);
  EXPECT_TRUE(std::filesystem::exists(root + "/preserved/" + sandbox + "/sandbox.json"));
}

TEST_F(RoleTest, AReloadAppliesWhatItCanAndNamesTheRest) {
  start();
  ASSERT_TRUE(next(*control));  // RoleReady
  base::Fd memory(::memfd_create("settings", MFD_CLOEXEC));
  const std::string text = "data_dir: " + root +
                           "\nserver:\n  moduli_file: /other\n"
                           "container_pool:\n  engine: fake\n  size: 2\n";
  ASSERT_EQ(::write(memory.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  std::vector<base::Fd> fds;
  fds.push_back(std::move(memory));
  ASSERT_TRUE(control->send(ipc::Reload{}, std::move(fds)));
  const auto answer = next(*control);
  ASSERT_TRUE(answer);
  const auto& result = std::get<ipc::ReloadResult>(answer->message);
  EXPECT_NE(result.applied.find("container_pool"), std::string::npos) << result.applied;
  EXPECT_NE(result.needs_restart.find("server.moduli_file"), std::string::npos);
  for (int i = 0; i < 500 && sandboxes(root + "/engine") < 2; ++i) ::poll(nullptr, 0, 10);
  EXPECT_EQ(sandboxes(root + "/engine"), 2U);
  ASSERT_TRUE(control->send(ipc::Drain{0}));
  EXPECT_EQ(wait_exit(), 0);
}

TEST(Reload, SettingsOfOtherRolesAreNotReported) {
  const config::Settings now;
  config::Settings next;
  next.server.login_grace_time = 5s;
  next.recording.enabled = false;
  const ReloadPlan plan = plan_reload(now, next);
  EXPECT_TRUE(plan.applied.empty());
  EXPECT_TRUE(plan.needs_restart.empty());
}

TEST(Reload, TheAgentsTimeIsTheEnginesAndTheEngineIsMadeOnce) {
  const config::Settings now;
  config::Settings next;
  next.container_pool.agent_timeout = 2s;
  next.container_pool.backoff_first = 2s;
  const ReloadPlan plan = plan_reload(now, next);
  EXPECT_EQ(plan.needs_restart, std::vector<std::string>{"container_pool.agent_timeout"});
  EXPECT_EQ(plan.applied, std::vector<std::string>{"container_pool"});
  EXPECT_EQ(plan.settings.container_pool.agent_timeout, 1s);
  EXPECT_EQ(plan.settings.container_pool.backoff_first, 2s);
}

}  // namespace
}  // namespace sandtrap::warden
