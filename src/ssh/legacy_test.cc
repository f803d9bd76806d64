// What server.legacy adds, truly spoken: old key exchange, CBC ciphers, ssh-rsa. CBC with a MAC
// over the plaintext must not tell how a packet was wrong, nor when.
#include <gtest/gtest.h>

#include "ssh/server_fixture_test.h"
#include "ssh/transport_messages.h"

namespace sandtrap::ssh {
namespace {

using test::ClientOptions;

Profile fast_legacy() {
  Profile profile = persona("debian-12", {}, true);
  profile.quantise_delays = false;
  return profile;
}

bool logs_in(const ClientOptions& options, const Profile& profile) {
  JoinedServer j(profile, options);
  j.log_in();
  return std::find(j.log.begin(), j.log.end(), "authenticated root password") != j.log.end();
}

class OldKex : public testing::TestWithParam<const char*> {};

TEST_P(OldKex, LogsInWhereItIsOfferedAndNowhereElse) {
  ClientOptions options;
  options.kex = GetParam();
  options.host_key = "ssh-rsa";
  options.group_min = 1024;
  options.group_preferred = 2048;
  EXPECT_TRUE(logs_in(options, fast_legacy()));
  EXPECT_FALSE(logs_in(options, fast_debian()));
}

INSTANTIATE_TEST_SUITE_P(All, OldKex,
                         testing::Values("diffie-hellman-group1-sha1",
                                         "diffie-hellman-group14-sha1",
                                         "diffie-hellman-group-exchange-sha1"));

class OldCipher : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(OldCipher, CarriesASessionInAnyFragmentation) {
  ClientOptions options;
  options.cipher = std::get<0>(GetParam());
  options.mac = std::get<1>(GetParam());
  JoinedServer j(fast_legacy(), options);
  std::size_t piece = 0;
  j.largest = [&piece] { return 1 + piece++ % 23; };
  j.log_in();
  j.exchange(JoinedServer::open(0));
  j.exchange(JoinedServer::exec(0, "cat"));
  j.exchange(JoinedServer::data(0, Bytes(5000, 'x')));
  EXPECT_EQ(j.log.back().size(), std::string("input 0 ").size() + 4096 + 904);
  EXPECT_FALSE(j.closed);
  EXPECT_FALSE(logs_in(options, fast_debian()));
}

INSTANTIATE_TEST_SUITE_P(
    All, OldCipher,
    testing::Combine(testing::Values("aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"),
                     testing::Values("hmac-sha1", "hmac-sha2-256-etm@openssh.com",
                                     "umac-64@openssh.com")));

constexpr std::size_t kSwallowed = 256 * 1024;

// How many bytes a connection takes after `spoil` before it ends, and what it said.
std::size_t bytes_until_end(const std::function<void(JoinedServer&)>& spoil) {
  ClientOptions options;
  options.cipher = "aes128-cbc";
  options.mac = "hmac-sha1";
  JoinedServer j(fast_legacy(), options);
  j.log_in();
  j.received.clear();
  spoil(j);
  std::size_t sent = j.client.pending_output().size();
  j.run();
  for (; !j.closed && sent < 2 * kSwallowed; sent += 16) {
    j.client.send_raw(Bytes(16, 0x55));
    j.run();
  }
  EXPECT_TRUE(j.received.empty());
  return sent;
}

TEST(Cbc, ABadMacIsConcealedUntilAsMuchWentByAsAPacketCanHold) {
  const std::size_t sent = bytes_until_end([](JoinedServer& j) {
    j.client.corrupt_next_packet();
    j.client.send(Writer(message::kIgnore).string("x").view());
  });
  EXPECT_GE(sent, kSwallowed);
  EXPECT_LE(sent, kSwallowed + 64);
}

TEST(Cbc, ABadLengthIsConcealedToo) {
  const std::size_t sent =
      bytes_until_end([](JoinedServer& j) { j.client.send_raw(Bytes(32, 0x77)); });
  EXPECT_GE(sent, kSwallowed);
  EXPECT_LE(sent, kSwallowed + 64);
}

TEST(Cbc, WithEncryptThenMacAnErrorEndsTheConnectionAtOnce) {
  ClientOptions options;
  options.cipher = "aes128-cbc";
  options.mac = "hmac-sha1-etm@openssh.com";
  JoinedServer j(fast_legacy(), options);
  j.log_in();
  j.client.corrupt_next_packet();
  j.send(Writer(message::kIgnore).string("x"));
  j.run();
  EXPECT_TRUE(j.closed);
}

}  // namespace
}  // namespace sandtrap::ssh
