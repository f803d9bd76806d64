// The warden's side against an agent that somebody hostile has written.
#include "sandbox/agent.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

#include "sandbox/testing.h"

namespace sandtrap::sandbox {
namespace {

using Kind = ExitResult::Kind;
using Clock = std::chrono::steady_clock;

std::ptrdiff_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

struct Received {
  std::string text;
  std::vector<base::Fd> fds;  // control first
};

Received receive(int socket) {
  Received out;
  std::string buffer(200000, '\0');
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int) * 8)];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = room;
  message.msg_controllen = sizeof(room);
  const ssize_t n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  if (n <= 0) return out;
  out.text = buffer.substr(0, static_cast<std::size_t>(n));
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr) return out;
  for (std::size_t at = 0; at < header->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header) + at, sizeof(fd));
    out.fds.emplace_back(fd);
  }
  return out;
}

void say(const Received& request, std::string_view packet) {
  (void)::send(request.fds.at(0).get(), packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

class AgentTest : public ::testing::Test {
 protected:
  AgentTest() {
    auto socket = make_agent_socket();
    theirs_ = std::move(socket->theirs);
    SandboxDevices devices;
    devices.root_uid = ::getuid();
    devices.root_gid = ::getgid();
    agent_ = std::make_unique<Agent>(std::move(socket->ours), std::move(devices),
                                     std::chrono::seconds(1));
  }
  // `part` plays the agent for one request, beside the loop.
  base::Result<std::unique_ptr<Process>> start(std::function<void(Received)> part) {
    std::thread other([this, part] { part(receive(theirs_.get())); });
    auto process = testing::run(io_, agent_->start(testing::exec_spec("id")));
    other.join();
    return process;
  }

  boost::asio::io_context io_;
  base::Fd theirs_;
  std::unique_ptr<Agent> agent_;
};

TEST_F(AgentTest, AProgramBeginsTakesSignalsAndEnds) {
  Received kept;
  auto process = start([&](Received request) {
    say(request, "S");
    kept = std::move(request);
  });
  ASSERT_TRUE(process);
  EXPECT_EQ(kept.fds.size(), 4U);
  EXPECT_NE(kept.text.find(std::string("kind=exec\0user=root\0", 20)), std::string::npos);
  EXPECT_EQ(kept.text.back(), '\0');
  EXPECT_TRUE(testing::run(io_, (*process)->signal(SIGINT)));
  char number = 0;
  EXPECT_EQ(::recv(kept.fds[0].get(), &number, 1, 0), 1);
  EXPECT_EQ(number, SIGINT);
  auto streams = (*process)->take_streams();
  EXPECT_EQ(::write(kept.fds[2].get(), "out", 3), 3);
  char text[3];
  EXPECT_EQ(::read(streams.output.get(), text, 3), 3);
  say(kept, std::string("X\1\x0f\0", 4));
  const ExitResult exit = testing::run(io_, (*process)->wait());
  EXPECT_EQ(exit.kind, Kind::kSignal);
  EXPECT_EQ(exit.value, 15);
  EXPECT_TRUE(agent_->usable());
}

TEST_F(AgentTest, AFullSandboxIsNotADeadAgent) {
  const auto process = start([](Received request) { say(request, "F"); });
  ASSERT_FALSE(process);
  EXPECT_EQ(process.error().code, base::Errc::kLimit);
  EXPECT_FALSE(may_exec_instead(process.error()));
  EXPECT_TRUE(agent_->usable());
}

TEST_F(AgentTest, OneThatIsSilentOrTalksNonsenseIsUsedNoMore) {
  const auto before = Clock::now();
  Received kept;
  const auto silent = start([&](Received request) { kept = std::move(request); });
  ASSERT_FALSE(silent);
  EXPECT_TRUE(may_exec_instead(silent.error()));
  EXPECT_FALSE(agent_->usable());
  EXPECT_LT(Clock::now() - before, std::chrono::seconds(5));
  // What it slept through can be recognised as abandoned.
  EXPECT_EQ(::send(kept.fds[0].get(), "S", 1, MSG_NOSIGNAL), -1);
  char none = 0;
  EXPECT_EQ(::recv(theirs_.get(), &none, 1, 0), 0);
}

TEST_F(AgentTest, NonsenseInsteadOfABeginning) {
  const auto process = start([](Received request) { say(request, "I am root"); });
  ASSERT_FALSE(process);
  EXPECT_TRUE(may_exec_instead(process.error()));
  EXPECT_FALSE(agent_->usable());
}

TEST_F(AgentTest, AFloodOfRepliesAndDescriptorsChangesNothing) {
  Received kept;
  auto process = start([&](Received request) {
    say(request, "S");
    for (int i = 0; i < 10000; ++i) say(request, std::string(1000, '\xff'));
    kept = std::move(request);
  });
  ASSERT_TRUE(process);
  const auto streams = (*process)->take_streams();
  const auto before = open_descriptors();
  const ExitResult exit = testing::run(io_, (*process)->wait());
  EXPECT_EQ(exit.kind, Kind::kUnknown);
  EXPECT_EQ(open_descriptors(), before);
  process->reset();
  EXPECT_LT(open_descriptors(), before);
}

TEST_F(AgentTest, DescriptorsFromInsideAreNeverTaken) {
  Received kept;
  auto process = start([&](Received request) {
    say(request, "S");
    kept = std::move(request);
  });
  ASSERT_TRUE(process);
  char byte = 'X';
  iovec part{&byte, 1};
  alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = room;
  message.msg_controllen = sizeof(room);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int own = theirs_.get();
  std::memcpy(CMSG_DATA(header), &own, sizeof(own));
  ASSERT_EQ(::sendmsg(kept.fds[0].get(), &message, MSG_NOSIGNAL), 1);
  const auto streams = (*process)->take_streams();
  const auto before = open_descriptors();
  EXPECT_EQ(testing::run(io_, (*process)->wait()).kind, Kind::kUnknown);
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(AgentTest, AnAgentThatReadsNothingDoesNotBlockAnyone) {
  for (int i = 0; i < 1000 && agent_->usable(); ++i) {
    auto spec = testing::exec_spec(std::string(30000, 'x'));
    const auto process = testing::run(io_, agent_->start(std::move(spec)));
    EXPECT_FALSE(process);
  }
  EXPECT_FALSE(agent_->usable());
}

TEST_F(AgentTest, WhatFitsNoMessageGoesTheOtherWay) {
  auto spec = testing::exec_spec(std::string(125 * 1024, 'x'));
  const auto process = testing::run(io_, agent_->start(std::move(spec)));
  ASSERT_FALSE(process);
  EXPECT_EQ(process.error().code, base::Errc::kUnsupported);
  EXPECT_TRUE(agent_->usable());
}

TEST(SandboxDevices, OnlyARealMultiplexerWillDo) {
  // Our own root has one, or a link in its place, which is not followed.
  const auto devices = find_devices(::getpid());
  if (devices) {
    Terminal terminal;
    terminal.columns = 81;
    auto streams = open_terminal(*devices, terminal);
    ASSERT_TRUE(streams);
    EXPECT_EQ(streams->theirs.size(), 1U);
    EXPECT_NE(::fcntl(streams->ours.input.get(), F_GETFD) & FD_CLOEXEC, 0);
  }
  EXPECT_FALSE(find_devices(0x3fffffff));
}

}  // namespace
}  // namespace sandtrap::sandbox
