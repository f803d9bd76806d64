// Much data through one channel in both directions, with rekeying and arbitrary fragmentation.
#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/hash.h"
#include "ssh/server_fixture_test.h"

namespace sandtrap::ssh {
namespace {

// `cat` behind the server and a client that keeps to the windows; counts and hashes both ways.
class Echo {
 public:
  explicit Echo(JoinedServer& j) : j_(j) {
    j_.on_input = [this](ChannelId, ByteView data) { base::append(pipe_, data); };
    j_.log_in();
    j_.send(JoinedServer::open(9, kWindow));
    j_.exchange(JoinedServer::exec(0, "cat"));
    window_ = 2097152;
  }

  void transfer(std::size_t total) {
    while (received_ < total) {
      const std::size_t before = received_ + sent_;
      for (int i = 0; i < 8 && sent_ < total; ++i) send_block(total - sent_);
      j_.run();
      pump();
      j_.run();
      for (const Bytes& payload : std::exchange(j_.received, {})) take(payload);
      ASSERT_NE(received_ + sent_, before) << "stalled after " << received_;
    }
  }
  std::string sent_hash() { return base::to_hex(sent_digest_.finish().view()); }
  std::string received_hash() { return base::to_hex(received_digest_.finish().view()); }

 private:
  static constexpr std::uint32_t kWindow = 1U << 20;

  void send_block(std::size_t left) {
    const std::size_t n = std::min({left, std::size_t{32768}, window_});
    if (n == 0) return;
    Bytes block(n);
    entropy_.fill(block);
    sent_digest_.update(block);
    j_.send(JoinedServer::data(0, block));
    sent_ += n;
    window_ -= n;
  }
  void pump() {
    const std::size_t n = j_.server.channel_output(0, Stream::kOutput, pipe_);
    pipe_.erase(pipe_.begin(), pipe_.begin() + static_cast<std::ptrdiff_t>(n));
    j_.server.channel_consumed(0, n);
  }
  void take(const Bytes& payload) {
    Reader in(ByteView(payload).subspan(1));
    if (payload[0] == message::kChannelWindowAdjust) {
      in.u32();
      window_ += in.u32();
      EXPECT_LE(window_, 2097152U);
    } else if (payload[0] == message::kChannelData) {
      in.u32();
      const ByteView data = in.string();
      ASSERT_LE(data.size(), 32768U);
      ASSERT_LE(data.size(), granted_);  // the server keeps to our window
      granted_ -= data.size();
      received_ += data.size();
      received_digest_.update(data);
      if (granted_ < kWindow / 2) {
        j_.send(Writer(message::kChannelWindowAdjust).u32(0).u32(kWindow / 2));
        granted_ += kWindow / 2;
      }
    }
  }

  JoinedServer& j_;
  test::SeededEntropy entropy_{7};
  crypto::Hash sent_digest_{crypto::HashName::kSha256}, received_digest_{crypto::HashName::kSha256};
  Bytes pipe_;
  std::size_t window_ = 0, granted_ = kWindow, sent_ = 0, received_ = 0;
};

struct BulkCase {
  const char* name;
  const char* cipher;
  const char* mac;
};
class ServerBulkTest : public ::testing::TestWithParam<BulkCase> {};

TEST_P(ServerBulkTest, EchoesUnderRekeyingAndFragmentation) {
  Profile profile = fast_debian();
  profile.rekey_bytes = 4U << 20;
  test::ClientOptions options;
  options.cipher = GetParam().cipher;
  options.mac = GetParam().mac;
  JoinedServer j(profile, options);
  test::SeededEntropy entropy(3);
  j.largest = [&entropy] {
    std::uint8_t b[3];
    entropy.fill(b);
    // Mostly whole blocks, now and then a few bytes.
    return b[0] < 32 ? std::size_t{b[1]} % 17 : std::size_t{b[1]} * 256 + b[2];
  };
  Echo echo(j);
  echo.transfer(64U << 20);
  EXPECT_EQ(echo.sent_hash(), echo.received_hash());
  EXPECT_GE(j.client.exchanges(), 10);
  EXPECT_EQ(j.client.error(), "");
  EXPECT_FALSE(j.closed);
}

INSTANTIATE_TEST_SUITE_P(
    Ciphers, ServerBulkTest,
    ::testing::Values(BulkCase{"chacha", "chacha20-poly1305@openssh.com", "hmac-sha2-256"},
                      BulkCase{"ctr", "aes128-ctr", "hmac-sha2-256-etm@openssh.com"},
                      BulkCase{"gcm", "aes256-gcm@openssh.com", "hmac-sha2-256"}),
    [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace sandtrap::ssh
