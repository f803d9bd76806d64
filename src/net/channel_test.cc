#include "net/channel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace sandtrap::net {
namespace {

namespace asio = boost::asio;

struct ChannelTest : testing::Test {
  asio::io_context io;
  std::unique_ptr<Channel> left, right;

  void SetUp() override {
    auto pair = channel_pair();
    ASSERT_TRUE(pair);
    left = std::make_unique<Channel>(io.get_executor(), std::move(pair->first));
    right = std::make_unique<Channel>(io.get_executor(), std::move(pair->second));
  }

  base::Result<Packet> receive(Channel& channel) {
    base::Result<Packet> got = base::fail(base::Errc::kTimeout, "nothing");
    asio::co_spawn(
        io,
        [](Channel& c, base::Result<Packet>& out) -> asio::awaitable<void> {
          out = co_await c.receive();
        }(channel, got),
        asio::detached);
    io.restart();
    io.run();
    return got;
  }
};

}  // namespace

TEST_F(ChannelTest, CarriesAMessageAndItsDescriptors) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  base::Fd reader(ends[0]);
  std::vector<base::Fd> sent;
  sent.emplace_back(ends[1]);
  ASSERT_TRUE(left->send(ipc::PeerConnected{"warden"}, std::move(sent)));
  const auto packet = receive(*right);
  ASSERT_TRUE(packet);
  EXPECT_EQ(std::get<ipc::PeerConnected>(packet->message).role, "warden");
  ASSERT_EQ(packet->descriptors.size(), 1U);
  ASSERT_EQ(::write(packet->descriptors[0].get(), "x", 1), 1);
  char c = 0;
  EXPECT_EQ(::read(reader.get(), &c, 1), 1);
  EXPECT_EQ(c, 'x');
}

TEST_F(ChannelTest, APeerThatNeverPausesLeavesOthersTheirTurn) {
  constexpr int kMessages = 1000;
  for (int i = 0; i < kMessages; ++i) ASSERT_TRUE(left->post(ipc::PeerConnected{"warden"}));
  ASSERT_TRUE(left->send(ipc::PeerConnected{"warden"}));  // all in a few packets now
  int seen = 0, seen_by_another = -1;
  asio::co_spawn(
      io,
      [](Channel& channel, int& count) -> asio::awaitable<void> {
        for (; count <= kMessages; ++count) {
          const auto packet = co_await channel.receive();
          if (!packet) co_return;
        }
      }(*right, seen),
      asio::detached);
  asio::post(io, [&] { seen_by_another = seen; });
  io.restart();
  io.run();
  EXPECT_EQ(seen, kMessages + 1);
  EXPECT_GE(seen_by_another, 0);
  EXPECT_LT(seen_by_another, 100);
}

TEST_F(ChannelTest, CarriesTheLargestCommand) {
  ipc::OpenProcess open;
  open.session = "0123456789ab";
  open.command.assign(ipc::kMaxCommand, 'a');
  ASSERT_TRUE(left->send(open));
  const auto packet = receive(*right);
  ASSERT_TRUE(packet);
  EXPECT_EQ(std::get<ipc::OpenProcess>(packet->message).command.size(), ipc::kMaxCommand);
}

TEST_F(ChannelTest, QueuesInOrderWhileTheReaderIsSlowAndRefusesWithoutEnd) {
  ipc::OpenProcess open;
  open.session = "0123456789ab";
  open.command.assign(100'000, 'a');
  std::uint32_t sent = 0;
  for (;; ++sent) {
    open.channel = sent;
    const auto status = left->send(open);
    if (status) continue;
    EXPECT_EQ(status.error().code, base::Errc::kLimit);
    break;
  }
  EXPECT_GT(sent, 100U);
  std::uint32_t next = 0;
  asio::co_spawn(
      io,
      [](Channel& c, std::uint32_t& seen, std::uint32_t total) -> asio::awaitable<void> {
        while (seen < total) {
          const auto packet = co_await c.receive();
          EXPECT_TRUE(packet);
          if (!packet) co_return;
          EXPECT_EQ(std::get<ipc::OpenProcess>(packet->message).channel, seen);
          ++seen;
        }
      }(*right, next, sent),
      asio::detached);
  io.restart();
  io.run();
  EXPECT_EQ(next, sent);
}

TEST_F(ChannelTest, PostedMessagesLeaveTogetherAndInOrder) {
  ASSERT_TRUE(left->post(ipc::PeerConnected{"one"}));
  ASSERT_TRUE(left->post(ipc::PeerConnected{"two"}));
  ASSERT_TRUE(left->send(ipc::PeerConnected{"three"}));  // takes the earlier ones with it
  ASSERT_TRUE(left->post(ipc::PeerConnected{"four"}));
  for (const char* role : {"one", "two", "three", "four"}) {
    const auto packet = receive(*right);
    ASSERT_TRUE(packet);
    EXPECT_EQ(std::get<ipc::PeerConnected>(packet->message).role, role);
  }
}

TEST_F(ChannelTest, PostedMessagesSurviveTheEnd) {
  ASSERT_TRUE(left->post(ipc::PeerConnected{"last"}));
  left.reset();
  const auto packet = receive(*right);
  ASSERT_TRUE(packet);
  EXPECT_EQ(std::get<ipc::PeerConnected>(packet->message).role, "last");
}

TEST_F(ChannelTest, PostsMoreThanOnePacketHolds) {
  ipc::OpenProcess open;
  open.session = "0123456789ab";
  open.command.assign(20'000, 'a');
  for (open.channel = 0; open.channel < 10; ++open.channel) ASSERT_TRUE(left->post(open));
  open.command.assign(ipc::kMaxMessage, 'a');
  const auto refused = left->post(open);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Errc::kLimit);
  for (std::uint32_t i = 0; i < 10; ++i) {
    const auto packet = receive(*right);
    ASSERT_TRUE(packet);
    EXPECT_EQ(std::get<ipc::OpenProcess>(packet->message).channel, i);
  }
}

TEST_F(ChannelTest, ReportsThePeersEnd) {
  left.reset();
  const auto packet = receive(*right);
  ASSERT_FALSE(packet);
  EXPECT_EQ(packet.error().code, base::Errc::kClosed);
  EXPECT_FALSE(right->send(ipc::Drain{1}));
}

class ChannelRaw : public testing::TestWithParam<std::string_view> {};

TEST_P(ChannelRaw, TreatsGarbageAsInvalid) {
  asio::io_context io;
  auto pair = channel_pair();
  ASSERT_TRUE(pair);
  Channel channel(io.get_executor(), std::move(pair->second));
  const auto size = static_cast<ssize_t>(GetParam().size());
  ASSERT_EQ(::send(pair->first.get(), GetParam().data(), GetParam().size(), 0), size);
  base::Errc code = base::Errc::kTimeout;
  asio::co_spawn(
      io,
      [](Channel& c, base::Errc& out) -> asio::awaitable<void> {
        const auto packet = co_await c.receive();
        if (!packet) out = packet.error().code;
      }(channel, code),
      asio::detached);
  io.run();
  EXPECT_EQ(code, base::Errc::kInvalid);
}

using namespace std::string_view_literals;
INSTANTIATE_TEST_SUITE_P(Packets, ChannelRaw,
                         testing::Values("\xff\xff"sv, "\x01\0\0\0\xff"sv, "\xff\xff\xff\xff\xff"sv,
                                         "\0\0\0\0"sv, "\x02\0\0\0\x1b"sv));

}  // namespace sandtrap::net
