#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "ipc/messages.h"

namespace sandtrap::ipc {
namespace {

template <class T>
T through(const T& message) {
  const auto decoded = decode(encode(message));
  EXPECT_TRUE(decoded) << (decoded ? "" : decoded.error().context);
  EXPECT_TRUE(std::holds_alternative<T>(*decoded));
  return std::get<T>(*decoded);
}

OpenProcess sample_open() {
  OpenProcess open;
  open.session = "0123456789ab";
  open.channel = 7;
  open.kind = 1;
  open.command = std::string("echo \0 \xff\n", 9);
  open.has_pty = true;
  open.pty = Pty{"xterm-256color", 132, 43, 1, 2, base::Bytes{0}};
  open.env = {{"LANG", "C.UTF-8"}, {"LC_ALL", ""}};
  return open;
}

}  // namespace

TEST(IpcCodec, CarriesEveryFieldOfAnOpenProcess) {
  const OpenProcess sent = sample_open();
  const OpenProcess got = through(sent);
  EXPECT_EQ(got.session, sent.session);
  EXPECT_EQ(got.channel, sent.channel);
  EXPECT_EQ(got.command, sent.command);
  EXPECT_EQ(got.pty.term, sent.pty.term);
  EXPECT_EQ(got.pty.height_px, 2U);
  EXPECT_EQ(got.pty.modes, sent.pty.modes);
  EXPECT_EQ(got.env, sent.env);
}

TEST(IpcCodec, CarriesKeysAndSignatures) {
  const Welcome welcome = through(Welcome{{{"ssh-ed25519", {1, 2, 3}}}, 0x1122334455667788ULL});
  EXPECT_EQ(welcome.host_keys.at(0).second, (base::Bytes{1, 2, 3}));
  EXPECT_EQ(welcome.delay_secret, 0x1122334455667788ULL);
  const Signed answer = through(Signed{"0123456789ab", 9, {{4, 5}, {}}});
  EXPECT_EQ(answer.signatures.size(), 2U);
}

TEST(IpcCodec, RefusesEveryTruncationAndEveryExtraByte) {
  const base::Bytes whole = encode(sample_open());
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_FALSE(decode(base::ByteView(whole).first(n))) << n;
  }
  base::Bytes longer = whole;
  longer.push_back(0);
  EXPECT_FALSE(decode(longer));
}

TEST(IpcCodec, RefusesSessionIdsThatAreNotTwelveHexDigits) {
  for (const char* id : {"", "0123456789a", "0123456789aB", "../etc/passw", "0123456789abc"}) {
    EXPECT_FALSE(decode(encode(SessionClosed{id}))) << id;
  }
}

// What a client can make of one program: the gate clips it to these, so it always arrives.
TEST(IpcCodec, TheLargestOpenProcessIsAMessage) {
  OpenProcess open;
  open.session = "0123456789ab";
  open.kind = 1;
  open.command.assign(kMaxCommand, 'c');
  open.has_pty = true;
  open.pty.term.assign(kMaxShort, 't');
  open.pty.modes.assign(kMaxModes, 1);
  const std::size_t half = kMaxEnvBytes / kMaxEnv / 2;
  for (std::size_t i = 0; i < kMaxEnv; ++i) {
    open.env.emplace_back(std::string(half, 'n'), std::string(half, 'v'));
  }
  const base::Bytes packet = encode(open);
  EXPECT_LE(packet.size(), kMaxMessage);
  EXPECT_TRUE(decode(packet).has_value());
}

TEST(IpcCodec, RefusesOverlongFields) {
  Authenticate attempt;
  attempt.session = "0123456789ab";
  attempt.secret.assign(kMaxShort + 1, 'x');
  EXPECT_FALSE(decode(encode(attempt)));
  OpenProcess open = sample_open();
  open.command.assign(kMaxCommand + 1, 'x');
  EXPECT_FALSE(decode(encode(open)));
  open = sample_open();
  open.env.assign(kMaxEnv + 1, {"A", "B"});
  EXPECT_FALSE(decode(encode(open)));
}

TEST(IpcCodec, AnyBytesAreAnErrorOrAMessageThatEncodesToTheSameBytes) {
  EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& packet) {
    const auto decoded = decode(packet);
    if (decoded) RC_ASSERT(encode(*decoded) == packet);
  }));
}

}  // namespace sandtrap::ipc
