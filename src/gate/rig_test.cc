// The process under test, its supervisor by script, and its client.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "gate/gate.h"
#include "gate/scripted_roles_test.h"
#include "net/task.h"

namespace sandtrap::gate::testing {
namespace asio = boost::asio;

namespace {

std::string make_folder() {
  char path[] = "/tmp/gate_test.XXXXXX";
  EXPECT_NE(::mkdtemp(path), nullptr);
  return path;
}

// Bound, not listening: that is the gate's part.
base::Fd bind_on_loopback(std::uint16_t& port) {
  base::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length);
  port = ntohs(address.sin_port);
  return fd;
}

}  // namespace

Rig::Rig(const std::function<void(config::Settings&)>& adjust)
    : folder(make_folder()), warden(loop), scribe(loop, folder) {
  config::Settings settings;
  settings.run_dir = folder;
  settings.logging.sensor = "rig";
  settings.server.max_startups = {1000, 30, 2000};
  settings.server.max_connections_per_source = 2000;
  settings.server.source_rate = 0;
  settings.authentication.failure_delay_min = std::chrono::milliseconds(1);
  settings.authentication.failure_delay_max = std::chrono::milliseconds(2);
  if (adjust) adjust(settings);
  auto pair = net::channel_pair();
  EXPECT_TRUE(pair);
  loop.notify_fork(asio::io_context::fork_prepare);
  gate = ::fork();
  if (gate == 0) {
    pair->first.reset();
    base::Log log("gate", base::LogLevel::kWarn);
    ::_exit(run(settings, std::move(pair->second), log));
  }
  loop.notify_fork(asio::io_context::fork_parent);
  pair->second.reset();
  control_ = std::make_shared<net::Channel>(loop.get_executor(), std::move(pair->first));
  asio::co_spawn(loop, follow(*this, control_), asio::detached);
  listening_ = bind_on_loopback(port);
  std::vector<base::Fd> sockets;
  sockets.emplace_back(::fcntl(listening_.get(), F_DUPFD_CLOEXEC, 0));
  EXPECT_TRUE(control_->send(ipc::ListeningSockets{}, std::move(sockets)));
  new_warden_link();
  new_scribe_link();
  EXPECT_TRUE(until([this] { return ready; })) << "the gate did not start";
}

Rig::~Rig() {
  if (gate > 0) {
    control_->close();
    int status = 0;
    if (!until([&] { return exited(gate, status); })) ::kill(gate, SIGKILL);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "gate ended with " << status;
  }
  warden.disconnect();
  scribe.disconnect();
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

asio::awaitable<void> Rig::follow(Rig& self, std::shared_ptr<net::Channel> control) {
  for (;;) {
    auto packet = co_await control->receive();
    if (!packet) co_return;
    if (std::holds_alternative<ipc::RoleReady>(packet->message)) self.ready = true;
    if (std::holds_alternative<ipc::RoleDrained>(packet->message)) self.drained = true;
  }
}

void Rig::hand_over(const char* role, base::Fd socket) {
  std::vector<base::Fd> descriptors;
  descriptors.push_back(std::move(socket));
  EXPECT_TRUE(control_->send(ipc::PeerConnected{role}, std::move(descriptors)));
}

void Rig::new_warden_link() {
  auto pair = net::channel_pair();
  hand_over("warden", std::move(pair->second));
  warden.connect(std::move(pair->first));
}

void Rig::new_scribe_link() {
  auto pair = net::channel_pair();
  hand_over("scribe", std::move(pair->second));
  scribe.connect(std::move(pair->first));
}

void Rig::drain(std::uint32_t grace) {
  EXPECT_TRUE(control_->send(ipc::Drain{grace}));
}

bool Rig::has_event(const std::string& text) const {
  return scribe.events().find(text) != std::string::npos;
}

std::size_t Rig::count_events(const std::string& name) const {
  const std::string text = scribe.events(), mark = "\"event\":\"" + name + "\"";
  std::size_t count = 0;
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) ++count;
  return count;
}

std::size_t Rig::resident_kib() const {
  const std::string status = read_file("/proc/" + std::to_string(gate) + "/status");
  const std::size_t at = status.find("VmRSS:");
  return at == std::string::npos ? 0 : std::stoul(status.substr(at + 6));
}

std::size_t Rig::sidecar_size() const {
  std::filesystem::path path = folder + "/" + scribe.opened.back();
  std::error_code error;
  const auto size = std::filesystem::file_size(path.replace_extension(".bin"), error);
  return error ? 0 : size;
}

bool Rig::until(const std::function<bool()>& done, std::chrono::seconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    loop.restart();
    loop.run_for(std::chrono::milliseconds(5));
  }
  return true;
}

bool Rig::exited(pid_t pid, int& status) {
  if (::waitpid(pid, &status, WNOHANG) != pid) return false;
  if (pid == gate) gate = -1;
  return true;
}

std::string Rig::askpass(const std::string& password) {
  const std::string path = folder + "/askpass" + std::to_string(passwords_++);
  std::ofstream(path) << "#!/bin/sh\necho '" << password << "'\n";
  ::chmod(path.c_str(), 0700);
  return path;
}

pid_t Rig::start_ssh(const std::vector<std::string>& arguments, base::Fd input, base::Fd output,
                     base::Fd error, const std::string& password) {
  const std::string number = std::to_string(port);
  std::vector<std::string> all = {"ssh", "-F", "none", "-p", number};
  for (const char* option :
       {"StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR",
        "PubkeyAuthentication=no", "NumberOfPasswordPrompts=1"}) {
    all.emplace_back("-o");
    all.emplace_back(option);
  }
  all.insert(all.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& one : all) argv.push_back(one.data());
  argv.push_back(nullptr);
  const std::string helper = askpass(password);
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::dup2(input.get(), 0);
  ::dup2(output.get(), 1);
  ::dup2(error.get(), 2);
  ::setenv("SSH_ASKPASS", helper.c_str(), 1);
  ::setenv("SSH_ASKPASS_REQUIRE", "force", 1);
  ::execvp("ssh", argv.data());
  ::_exit(127);
}

ClientResult Rig::ssh(std::vector<std::string> arguments, const std::string& input,
                      const std::string& password) {
  const std::string base = folder + "/client" + std::to_string(passwords_);
  std::ofstream(base + ".in", std::ios::binary) << input;
  constexpr int kCreate = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
  base::Fd in(::open((base + ".in").c_str(), O_RDONLY | O_CLOEXEC));
  base::Fd out(::open((base + ".out").c_str(), kCreate, 0600));
  base::Fd err(::open((base + ".err").c_str(), kCreate, 0600));
  arguments.insert(std::find(arguments.begin(), arguments.end(), "@"), "root@127.0.0.1");
  arguments.erase(std::remove(arguments.begin(), arguments.end(), "@"), arguments.end());
  const pid_t pid = start_ssh(arguments, std::move(in), std::move(out), std::move(err), password);
  ClientResult result;
  int status = 0;
  if (!until([&] { return exited(pid, status); }, std::chrono::seconds(40))) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, 0);
    ADD_FAILURE() << "ssh hangs";
  }
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  result.out = read_file(base + ".out");
  result.err = read_file(base + ".err");
  return result;
}

base::Fd Rig::connect() {
  base::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return fd;
}

}  // namespace sandtrap::gate::testing
