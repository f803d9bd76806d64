#include "gate/scripted_roles_test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <csignal>
#include <fstream>
#include <sstream>

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

template <class T>
T* as(std::shared_ptr<void>& key) {
  return static_cast<T*>(key.get());
}

}  // namespace

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

struct ScriptedWarden::Child {
  explicit Child(asio::io_context& loop) : descriptor(loop) {}
  asio::posix::stream_descriptor descriptor;  // its pidfd
  pid_t pid = -1;
};

ScriptedWarden::ScriptedWarden(asio::io_context& loop) : loop_(loop) {
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
  EXPECT_TRUE(channel_->send(welcome));
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
  } else if (const auto* note = std::get_if<ipc::RecordingGrew>(&message)) {
    grew.push_back(note->path);
  }
}

std::string ScriptedScribe::events() const {
  return read_file(folder_ + "/events.jsonl");
}

std::string ScriptedScribe::file(const std::string& path) const {
  return read_file(folder_ + "/" + path);
}

}  // namespace sandtrap::gate::testing
