#include "gate/scripted_roles_test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "gate/gate.h"
#include "net/task.h"

namespace sandtrap::gate::testing {
namespace {

namespace asio = boost::asio;

void put_string(base::Bytes& out, base::ByteView data) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>(data.size() >> shift));
  }
  base::append(out, data);
}

base::Fd listen_on_loopback(std::uint16_t& port) {
  base::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  EXPECT_EQ(::listen(fd.get(), 512), 0);
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length);
  port = ntohs(address.sin_port);
  return fd;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

template <class T>
T* as(std::shared_ptr<void>& key) {
  return static_cast<T*>(key.get());
}

}  // namespace

struct ScriptedWarden::Child {
  explicit Child(asio::io_context& loop) : descriptor(loop) {}
  asio::posix::stream_descriptor descriptor;  // its pidfd
  pid_t pid = -1;
};

ScriptedWarden::ScriptedWarden(asio::io_context& loop) : loop_(loop) {
  listening_ = listen_on_loopback(port_);
  EVP_PKEY* key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  key_ = std::shared_ptr<void>(key, [](void* p) { EVP_PKEY_free(static_cast<EVP_PKEY*>(p)); });
  base::Bytes raw(32);
  std::size_t length = raw.size();
  EVP_PKEY_get_raw_public_key(key, raw.data(), &length);
  put_string(public_blob_, base::as_bytes("ssh-ed25519"));
  put_string(public_blob_, raw);
}

ScriptedWarden::~ScriptedWarden() {
  for (auto& [key, child] : children_) {
    ::kill(child->pid, SIGKILL);
    ::waitpid(child->pid, nullptr, 0);
  }
}

void ScriptedWarden::connect(base::Fd socket) {
  channel_ = std::make_shared<net::Channel>(loop_.get_executor(), std::move(socket));
  ipc::Welcome welcome;
  welcome.host_keys.emplace_back("ssh-ed25519", public_blob_);
  welcome.delay_secret = 42;
  std::vector<base::Fd> sockets;
  sockets.emplace_back(::fcntl(listening_.get(), F_DUPFD_CLOEXEC, 0));
  EXPECT_TRUE(channel_->send(welcome, std::move(sockets)));
  asio::co_spawn(loop_, read_loop(*this, channel_), asio::detached);
}

void ScriptedWarden::disconnect() {
  if (channel_) channel_->close();
  channel_.reset();
}

asio::awaitable<void> ScriptedWarden::read_loop(ScriptedWarden& self,
                                                std::shared_ptr<net::Channel> channel) {
  for (;;) {
    auto packet = co_await channel->receive();
    if (!packet || self.channel_ != channel) co_return;
    self.on(packet->message);
  }
}

void ScriptedWarden::on(const ipc::Message& message) {
  ++seen[std::string(ipc::name(message))];
  if (silent) return;
  if (const auto* opened = std::get_if<ipc::SessionOpened>(&message)) {
    EXPECT_TRUE(channel_->send(ipc::CaseAssigned{opened->session, "case1"}));
  } else if (const auto* request = std::get_if<ipc::Sign>(&message)) {
    sign(*request);
  } else if (const auto* login = std::get_if<ipc::Authenticate>(&message)) {
    logins.push_back(*login);
    const bool accepted = login->method == "password" && login->secret == password;
    EXPECT_TRUE(
        channel_->send(ipc::AuthDecision{login->session, login->request, accepted, "credentials"}));
  } else if (const auto* program = std::get_if<ipc::OpenProcess>(&message)) {
    if (refuse_programs) {
      EXPECT_TRUE(
          channel_->send(ipc::ProcessRefused{program->session, program->channel, "pool empty"}));
    } else {
      open(*program);
    }
  } else if (const auto* resize = std::get_if<ipc::ResizeProcess>(&message)) {
    resizes.push_back(*resize);
  } else if (const auto* signal = std::get_if<ipc::SignalProcess>(&message)) {
    const auto child = children_.find({signal->session, signal->channel});
    if (child != children_.end()) ::kill(-child->second->pid, SIGTERM);
  } else if (const auto* closing = std::get_if<ipc::CloseProcess>(&message)) {
    const auto child = children_.find({closing->session, closing->channel});
    if (child != children_.end()) ::kill(-child->second->pid, SIGHUP);
  } else if (const auto* again = std::get_if<ipc::SessionResumed>(&message)) {
    resumed.push_back(*again);
  }
}

void ScriptedWarden::sign(const ipc::Sign& request) {
  base::Bytes raw(64);
  std::size_t length = raw.size();
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EXPECT_EQ(EVP_DigestSignInit(context, nullptr, nullptr, nullptr, as<EVP_PKEY>(key_)), 1);
  EXPECT_EQ(EVP_DigestSign(context, raw.data(), &length, request.hash.data(), request.hash.size()),
            1);
  EVP_MD_CTX_free(context);
  ipc::Signed answer;
  answer.session = request.session;
  answer.request = request.request;
  put_string(answer.signatures.emplace_back(), base::as_bytes("ssh-ed25519"));
  put_string(answer.signatures.front(), raw);
  EXPECT_TRUE(channel_->send(answer));
}

void ScriptedWarden::open(const ipc::OpenProcess& request) {
  ipc::ProcessOpened answer;
  answer.session = request.session;
  answer.channel = request.channel;
  answer.sandbox = "0123456789ab";
  answer.duplex = request.has_pty;
  std::vector<base::Fd> ours;
  int in[2], out[2], err[2];
  pid_t pid = -1;
  if (request.has_pty) {
    winsize size{};
    size.ws_col = static_cast<unsigned short>(request.pty.columns);
    size.ws_row = static_cast<unsigned short>(request.pty.rows);
    int master = -1;
    pid = ::forkpty(&master, nullptr, nullptr, &size);
    if (pid > 0) ::fcntl(master, F_SETFD, FD_CLOEXEC);
    if (pid > 0) ours.emplace_back(master);
  } else {
    for (int* pair : {in, out, err}) EXPECT_EQ(::pipe2(pair, O_CLOEXEC), 0);
    pid = ::fork();
    if (pid == 0) {
      ::setsid();
      ::dup2(in[0], 0);
      ::dup2(out[1], 1);
      ::dup2(err[1], 2);
    } else {
      for (const int fd : {in[0], out[1], err[1]}) ::close(fd);
      for (const int fd : {in[1], out[0], err[0]}) ours.emplace_back(fd);
    }
  }
  if (pid == 0) {
    const char* command = request.command.c_str();
    ::signal(SIGPIPE, SIG_DFL);
    if (request.kind == 0) ::execl("/bin/sh", "-sh", static_cast<char*>(nullptr));
    ::execl("/bin/sh", "sh", "-c", command, static_cast<char*>(nullptr));
    ::_exit(127);
  }
  watch({request.session, request.channel}, pid);
  EXPECT_TRUE(channel_->send(answer, std::move(ours)));
}

void ScriptedWarden::watch(const Key& key, pid_t pid) {
  auto child = std::make_shared<Child>(loop_);
  child->pid = pid;
  child->descriptor.assign(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  children_[key] = child;
  child->descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                               [this, key, child](boost::system::error_code error) {
                                 if (error) return;
                                 int status = 0;
                                 ::waitpid(child->pid, &status, 0);
                                 children_.erase(key);
                                 if (!channel_) return;
                                 ipc::ProcessExited exit{key.first, key.second, 0, 0, false};
                                 exit.kind = WIFSIGNALED(status) ? 1 : 0;
                                 exit.value = static_cast<std::uint32_t>(
                                     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
                                 static_cast<void>(channel_->send(exit));
                               });
}

ScriptedScribe::ScriptedScribe(asio::io_context& loop, std::string folder)
    : loop_(loop), folder_(std::move(folder)) {}

void ScriptedScribe::connect(base::Fd socket) {
  channel_ = std::make_shared<net::Channel>(loop_.get_executor(), std::move(socket));
  asio::co_spawn(loop_, read_loop(*this, channel_), asio::detached);
}

void ScriptedScribe::disconnect() {
  if (channel_) channel_->close();
  channel_.reset();
}

asio::awaitable<void> ScriptedScribe::read_loop(ScriptedScribe& self,
                                                std::shared_ptr<net::Channel> channel) {
  for (;;) {
    auto packet = co_await channel->receive();
    if (!packet || self.channel_ != channel) co_return;
    self.on(packet->message);
  }
}

void ScriptedScribe::on(const ipc::Message& message) {
  constexpr int kAppend = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
  std::vector<base::Fd> files;
  if (std::holds_alternative<ipc::OpenEventLog>(message)) {
    files.emplace_back(::open((folder_ + "/events.jsonl").c_str(), kAppend, 0600));
    EXPECT_TRUE(channel_->send(ipc::EventLogOpened{}, std::move(files)));
  } else if (const auto* request = std::get_if<ipc::OpenRecording>(&message)) {
    if (silent) return;
    const std::string name = request->session + "-" + std::to_string(opened.size());
    opened.push_back(name + ".cast");
    const std::string cast = disk_full ? "/dev/full" : folder_ + "/" + name + ".cast";
    files.emplace_back(::open(cast.c_str(), kAppend, 0600));
    files.emplace_back(::open((folder_ + "/" + name + ".bin").c_str(), kAppend, 0600));
    EXPECT_TRUE(channel_->send(
        ipc::RecordingOpened{request->session, request->channel, opened.back()}, std::move(files)));
  } else if (const auto* done = std::get_if<ipc::FinishRecording>(&message)) {
    finished.push_back(done->path);
  }
}

std::string ScriptedScribe::events() const {
  return read_file(folder_ + "/events.jsonl");
}

std::string ScriptedScribe::file(const std::string& path) const {
  return read_file(folder_ + "/" + path);
}

namespace {

std::string make_folder() {
  char path[] = "/tmp/gate_test.XXXXXX";
  EXPECT_NE(::mkdtemp(path), nullptr);
  return path;
}

}  // namespace

Rig::Rig(const std::function<void(config::Settings&)>& adjust)
    : folder(make_folder()), warden(loop), scribe(loop, folder) {
  config::Settings settings;
  settings.run_dir = folder;
  settings.logging.sensor = "rig";
  settings.server.max_startups = {1000, 30, 2000};
  settings.server.max_connections_per_source = 2000;
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
  const std::string port = std::to_string(warden.port());
  std::vector<std::string> all = {"ssh", "-F", "none", "-p", port};
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
  address.sin_port = htons(warden.port());
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return fd;
}

}  // namespace sandtrap::gate::testing
