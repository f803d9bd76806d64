// The compiled-in personas on the wire, row by row: banner, KEXINIT, EXT_INFO and what sets the
// versions apart. The figures were observed on (or derived from) the real daemons.
#include <gtest/gtest.h>

#include "crypto/hash.h"
#include "ssh/hassh.h"
#include "ssh/server_fixture_test.h"
#include "ssh/transport_messages.h"

namespace sandtrap::ssh {
namespace {

using test::ClientOptions;
using test::HostKeys;
using test::SeededEntropy;

struct Row {
  const char* persona;
  const char* revision;
  const char* banner;
  std::uint32_t packet_length;
  unsigned padding;
  const char* hassh;
  bool closes_on_second_kex_init;
};

void PrintTo(const Row& row, std::ostream* out) {
  *out << row.persona << " " << row.revision;
}

constexpr const char* kPlainOld = "3ccd1778a76049721c71ad7d2bf62bbc";
constexpr const char* kStrictOld = "779664e66160bf75999f091fce5edb5a";
constexpr const char* kPlain22 = "699519fdcc30cbcd093d5cd01e4b1d56";
constexpr const char* kStrict22 = "41ff3ecd1458b0bf86e1b4891636213e";
constexpr const char* kPlain12 = "a984ff804585fabe3cd08f4b3849024a";
constexpr const char* kStrict12 = "a65c3b91f743d3f246e72172e77288f1";
constexpr const char* kLate12 = "425d29fe50d8e4f5e37efb6e24bcf660";
constexpr const char* k24 = "e42184b06d45385a906f0803d04c83da";

const Row kRows[] = {
    {"ubuntu-20.04", "4ubuntu0.5", "OpenSSH_8.2p1 Ubuntu-4ubuntu0.5", 1052, 10, kPlainOld, true},
    {"ubuntu-20.04", "4ubuntu0.9", "OpenSSH_8.2p1 Ubuntu-4ubuntu0.9", 1052, 10, kPlainOld, true},
    {"ubuntu-20.04", "4ubuntu0.10", "OpenSSH_8.2p1 Ubuntu-4ubuntu0.10", 1076, 5, kStrictOld, false},
    {"ubuntu-20.04", "", "OpenSSH_8.2p1 Ubuntu-4ubuntu0.11", 1076, 5, kStrictOld, false},
    {"debian-11", "deb11u1", "OpenSSH_8.4p1 Debian-5+deb11u1", 1052, 10, kPlainOld, true},
    {"debian-11", "deb11u2", "OpenSSH_8.4p1 Debian-5+deb11u2", 1052, 10, kPlainOld, true},
    {"debian-11", "", "OpenSSH_8.4p1 Debian-5+deb11u3", 1076, 5, kStrictOld, false},
    {"debian-11", "deb11u5", "OpenSSH_8.4p1 Debian-5+deb11u5", 1076, 5, kStrictOld, false},
    {"ubuntu-22.04", "3ubuntu0.1", "OpenSSH_8.9p1 Ubuntu-3ubuntu0.1", 1076, 7, kPlain22, true},
    {"ubuntu-22.04", "3ubuntu0.4", "OpenSSH_8.9p1 Ubuntu-3ubuntu0.4", 1076, 7, kPlain22, true},
    {"ubuntu-22.04", "3ubuntu0.5", "OpenSSH_8.9p1 Ubuntu-3ubuntu0.5", 1108, 10, kStrict22, false},
    {"ubuntu-22.04", "", "OpenSSH_8.9p1 Ubuntu-3ubuntu0.13", 1108, 10, kStrict22, false},
    {"debian-12", "deb12u1", "OpenSSH_9.2p1 Debian-2+deb12u1", 1076, 7, kPlain12, true},
    {"debian-12", "deb12u2", "OpenSSH_9.2p1 Debian-2+deb12u2", 1108, 10, kStrict12, false},
    {"debian-12", "deb12u3", "OpenSSH_9.2p1 Debian-2+deb12u3", 1108, 10, kStrict12, false},
    {"debian-12", "deb12u4", "OpenSSH_9.2p1 Debian-2+deb12u4", 1132, 11, kLate12, false},
    {"debian-12", "deb12u9", "OpenSSH_9.2p1 Debian-2+deb12u9", 1132, 11, kLate12, false},
    {"debian-12", "", "OpenSSH_9.2p1 Debian-2+deb12u10", 1132, 11, kLate12, false},
    {"ubuntu-24.04", "", "OpenSSH_9.6p1 Ubuntu-3ubuntu13.3", 1116, 7, k24, false},
    {"ubuntu-24.04", "3ubuntu13", "OpenSSH_9.6p1 Ubuntu-3ubuntu13", 1116, 7, k24, false},
    {"ubuntu-24.04", "3ubuntu13.14", "OpenSSH_9.6p1 Ubuntu-3ubuntu13.14", 1116, 7, k24, false},
};

// A client that sends its identification and, if asked, more in plain; then what came back.
struct Talk {
  explicit Talk(Profile p, const std::string& client = "SSH-2.0-OpenSSH_9.2p1\r\n")
      : profile(std::move(p)),
        server(profile, HostKeys::shared().public_keys(), entropy, Instant{}) {
    send(base::as_bytes(client));
  }
  void send(ByteView wire) {
    while (!wire.empty() && !server.closed()) {
      const std::size_t n = test::feed(server, wire, Instant{});
      if (n == 0) break;
      wire = wire.subspan(n);
      while (server.next_event()) {
      }
    }
    base::append(output, server.pending_output());
    server.consumed(server.pending_output().size());
  }
  void packet(ByteView payload) {
    std::size_t pad = 8 - (payload.size() + 5) % 8;
    if (pad < 4) pad += 8;
    Writer w;
    w.u32(static_cast<std::uint32_t>(1 + payload.size() + pad))
        .byte(static_cast<std::uint8_t>(pad));
    w.raw(payload).raw(Bytes(pad, 0));
    send(w.view());
  }
  void kex_init(bool strict = false) {
    ClientOptions o;
    o.automatic = false;
    o.strict = strict;
    o.ext_info = false;
    packet(test::SshClient(o, entropy).kex_init_payload());
  }
  std::string banner() const {
    const std::string_view text = base::as_text(output);
    return std::string(text.substr(0, text.find("\r\n")));
  }
  ByteView first_packet() const { return ByteView(output).subspan(banner().size() + 2); }
  // Payload types behind the KEXINIT; each of the packets is plain.
  Lines behind() const {
    Lines out;
    ByteView rest = first_packet();
    rest = rest.subspan(4 + load_u32(rest.data()));
    while (rest.size() > 5) {
      const std::size_t length = load_u32(rest.data());
      out.push_back(describe_packet(Bytes(
          rest.begin() + 5, rest.begin() + 4 + static_cast<std::ptrdiff_t>(length) - rest[4])));
      rest = rest.subspan(4 + length);
    }
    return out;
  }

  Profile profile;
  SeededEntropy entropy;
  Transport server;
  Bytes output;
};

class PersonaRow : public testing::TestWithParam<Row> {
 protected:
  Profile profile() const { return persona(GetParam().persona, GetParam().revision); }
};

TEST_P(PersonaRow, BannerAndKexInitAreThoseOfTheRow) {
  const Talk talk(profile());
  EXPECT_EQ(talk.banner(), std::string("SSH-2.0-") + GetParam().banner);
  const ByteView packet = talk.first_packet();
  EXPECT_EQ(load_u32(packet.data()), GetParam().packet_length);
  EXPECT_EQ(packet[4], GetParam().padding);
  ASSERT_EQ(packet.size(), 4 + GetParam().packet_length);
  const ByteView padding = packet.last(packet[4]);
  EXPECT_TRUE(std::all_of(padding.begin(), padding.end(), [](std::uint8_t b) { return b == 0; }));
}

TEST_P(PersonaRow, HasshServerIsThatOfTheRow) {
  const Talk talk(profile());
  const ByteView packet = talk.first_packet();
  const auto lists = parse_kex_init(packet.subspan(5, packet.size() - 5 - packet[4]));
  ASSERT_TRUE(lists.has_value());
  const auto& l = lists->lists;
  const std::string text = l[KexInit::kKex] + ";" + l[KexInit::kCipherS2c] + ";" +
                           l[KexInit::kMacS2c] + ";" + l[KexInit::kCompressionS2c];
  EXPECT_EQ(base::to_hex(crypto::hash(crypto::HashName::kMd5, base::as_bytes(text)).view()),
            GetParam().hassh);
}

TEST_P(PersonaRow, ASecondKexInitIsAnsweredAsByThatBuild) {
  Talk talk(profile());
  talk.kex_init();
  talk.kex_init();
  if (GetParam().closes_on_second_kex_init) {
    EXPECT_TRUE(talk.server.closed());
    EXPECT_TRUE(talk.behind().empty());
  } else {
    EXPECT_FALSE(talk.server.closed());
    EXPECT_EQ(talk.behind().size(), 1U);
  }
}

// Only a build with the patch knows the pseudo-algorithm.
TEST_P(PersonaRow, StrictKeyExchangeIsAgreedWhereThePatchIs) {
  Talk talk(profile());
  talk.kex_init(true);
  talk.packet(Bytes{message::kIgnore});
  EXPECT_EQ(talk.server.closed(), !GetParam().closes_on_second_kex_init);
}

INSTANTIATE_TEST_SUITE_P(Table, PersonaRow, testing::ValuesIn(kRows));

// ---- numbers from 192 on -----------------------------------------------------------------------

class TypeBefore : public testing::TestWithParam<const char*> {};

TEST_P(TypeBefore, OldDaemonsNameAnInvalidType) {
  for (const std::uint8_t type : {std::uint8_t{192}, std::uint8_t{193}, std::uint8_t{255}}) {
    Talk talk(persona(GetParam()));
    talk.packet(Bytes{type});
    EXPECT_TRUE(talk.server.closed());
    const Bytes text = base::to_bytes("Invalid ssh2 packet type: " + std::to_string(type));
    EXPECT_NE(std::search(talk.output.begin(), talk.output.end(), text.begin(), text.end()),
              talk.output.end());
  }
}

INSTANTIATE_TEST_SUITE_P(Personas, TypeBefore,
                         testing::Values("ubuntu-20.04", "debian-11", "ubuntu-22.04", "debian-12"));

TEST(Ubuntu24, TypesFrom194EndTheConnectionInSilenceBeforeTheFirstKeys) {
  for (const std::uint8_t type : {std::uint8_t{194}, std::uint8_t{254}, std::uint8_t{255}}) {
    Talk talk(persona("ubuntu-24.04"));
    talk.packet(Bytes{type});
    EXPECT_TRUE(talk.server.closed());
    EXPECT_TRUE(talk.behind().empty());
  }
}

TEST(Ubuntu24, APongIsSwallowedAndAPingWaitsForTheKeys) {
  Talk talk(persona("ubuntu-24.04"));
  talk.packet(Writer(message::kPong).string("x").view());
  talk.packet(Writer(message::kPing).string("x").view());
  EXPECT_FALSE(talk.server.closed());
  EXPECT_TRUE(talk.behind().empty());
}

TEST(Ubuntu24, APingUnderStrictKeyExchangeEndsTheConnectionInSilence) {
  Talk talk(persona("ubuntu-24.04"));
  talk.kex_init(true);
  talk.packet(Writer(message::kPing).string("x").view());
  EXPECT_TRUE(talk.server.closed());
  EXPECT_TRUE(talk.behind().empty());
}

TEST(Ubuntu24, PingsOfAStrangerDoNotFillTheMemory) {
  Talk talk(persona("ubuntu-24.04"));
  for (int i = 0; i < 20 && !talk.server.closed(); ++i) {
    talk.packet(Writer(message::kPing).string(Bytes(32000, 0)).view());
  }
  EXPECT_TRUE(talk.server.closed());
  EXPECT_LT(talk.server.memory_used(), 1U << 20);
}

Profile fast(std::string_view name, bool legacy = false) {
  Profile profile = persona(name, {}, legacy);
  profile.quantise_delays = false;
  return profile;
}

// The PONG goes with the keys, before EXT_INFO: sshd empties its queue behind NEWKEYS.
TEST(Ubuntu24, AHeldPongComesFirstUnderTheKeys) {
  ClientOptions options;
  options.strict = false;
  options.automatic = true;
  JoinedServer j(fast("ubuntu-24.04"), options);
  j.client.send_now(Writer(message::kPing).string("early").view());
  j.run();
  ASSERT_GE(j.received.size(), 2U);
  EXPECT_EQ(j.received[0], Writer(message::kPong).string("early").take());
  EXPECT_EQ(j.received[1][0], message::kExtInfo);
}

TEST(Ubuntu24, AnswersPingAndKnowsNoOtherLocalType) {
  JoinedServer j(fast("ubuntu-24.04"));
  j.run();
  j.received.clear();
  j.send(Writer(message::kPing).string("now"));
  j.client.send(Bytes{194});
  j.run();
  ASSERT_EQ(j.received.size(), 2U);
  EXPECT_EQ(j.received[0], Writer(message::kPong).string("now").take());
  EXPECT_EQ(j.received[1][0], message::kUnimplemented);
  EXPECT_FALSE(j.closed);
}

// ---- EXT_INFO ----------------------------------------------------------------------------------

struct ExtInfoRow {
  const char* persona;
  std::size_t ctr_etm, gcm, chacha, ctr_umac;  // bytes of ciphertext, the MAC included
};

class ExtInfoSize : public testing::TestWithParam<ExtInfoRow> {};

std::size_t ext_info_bytes(const char* name, const char* cipher, const char* mac) {
  ClientOptions options;
  options.cipher = cipher;
  options.mac = mac;
  SeededEntropy entropy;
  const Profile profile = persona(name);
  Transport server(profile, HostKeys::shared().public_keys(), entropy, Instant{});
  test::SshClient client(options, entropy);
  std::size_t behind_new_keys = 0;
  for (int turn = 0; turn < 8; ++turn) {
    while (auto event = server.next_event()) {
      if (auto* sign = std::get_if<SignNeeded>(&*event)) {
        server.submit_signature(sign->id, HostKeys::shared().sign(*sign), Instant{});
        const ByteView out = server.pending_output();
        std::size_t at = 0;
        for (int packet = 0; packet < 2; ++packet) at += 4 + load_u32(out.data() + at);
        behind_new_keys = out.size() - at;
      }
    }
    client.receive(server.pending_output());
    server.consumed(server.pending_output().size());
    while (!client.pending_output().empty()) {
      client.consumed(test::feed(server, client.pending_output(), Instant{}));
      if (!server.wants_input()) break;
    }
  }
  EXPECT_TRUE(client.ready()) << client.error();
  return behind_new_keys;
}

TEST_P(ExtInfoSize, IsWhatAnUnauthenticatedProbeSees) {
  const ExtInfoRow& row = GetParam();
  EXPECT_EQ(ext_info_bytes(row.persona, "aes128-ctr", "hmac-sha2-256-etm@openssh.com"),
            row.ctr_etm);
  EXPECT_EQ(ext_info_bytes(row.persona, "aes128-gcm@openssh.com", "hmac-sha2-256"), row.gcm);
  EXPECT_EQ(ext_info_bytes(row.persona, "chacha20-poly1305@openssh.com", "hmac-sha2-256"),
            row.chacha);
  EXPECT_EQ(ext_info_bytes(row.persona, "aes128-ctr", "umac-64@openssh.com"), row.ctr_umac);
}

INSTANTIATE_TEST_SUITE_P(Table, ExtInfoSize,
                         testing::Values(ExtInfoRow{"ubuntu-20.04", 244, 228, 228, 232},
                                         ExtInfoRow{"debian-11", 292, 276, 276, 264},
                                         ExtInfoRow{"ubuntu-22.04", 340, 324, 316, 312},
                                         ExtInfoRow{"debian-12", 340, 324, 316, 312},
                                         ExtInfoRow{"ubuntu-24.04", 308, 292, 284, 280}));

Writer client_ext_info(std::string_view value) {
  Writer w(message::kExtInfo);
  w.u32(1).string("ext-info-in-auth@openssh.com").string(value);
  return w;
}

TEST(Ubuntu24, ASecondExtInfoGoesBeforeTheFirstAnswer) {
  JoinedServer j(fast("ubuntu-24.04"));
  j.run();
  j.received.clear();
  j.send(client_ext_info("0"));
  j.send(Writer(message::kServiceRequest).string("ssh-userauth"));
  j.send(JoinedServer::request("root", "none"));
  j.send(JoinedServer::request("root", "none"));
  j.run();
  ASSERT_EQ(j.received.size(), 4U);
  EXPECT_EQ(j.received[0][0], message::kServiceAccept);
  const std::string list = persona("ubuntu-24.04").ext_info[0].second;
  EXPECT_EQ(j.received[1],
            Writer(message::kExtInfo).u32(1).string("server-sig-algs").string(list).take());
  EXPECT_EQ(j.received[2][0], message::kUserauthFailure);
  EXPECT_EQ(j.received[3][0], message::kUserauthFailure);
}

TEST(Ubuntu24, AClientsExtInfoIsReadOnce) {
  JoinedServer j(fast("ubuntu-24.04"));
  j.run();
  j.received.clear();
  j.send(client_ext_info("1"));
  j.send(client_ext_info("0"));
  j.run();
  ASSERT_EQ(j.received.size(), 1U);
  EXPECT_EQ(j.received[0][0], message::kUnimplemented);
}

TEST(Debian12, AClientsExtInfoIsUnimplemented) {
  JoinedServer j(fast("debian-12"));
  j.run();
  j.received.clear();
  j.send(client_ext_info("0"));
  j.run();
  ASSERT_EQ(j.received.size(), 1U);
  EXPECT_EQ(j.received[0][0], message::kUnimplemented);
}

// ---- algorithms --------------------------------------------------------------------------------

struct SshRsaRow {
  const char* persona;
  bool taken;
};
class SshRsa : public testing::TestWithParam<SshRsaRow> {};

TEST_P(SshRsa, AsOnlyHostKeyAlgorithmWorksInOldDaemonsAlone) {
  ClientOptions options;
  options.host_key = "ssh-rsa";
  JoinedServer j(fast(GetParam().persona), options);
  j.run();
  EXPECT_EQ(j.client.ready(), GetParam().taken) << j.client.error();
  EXPECT_EQ(j.closed, !GetParam().taken);
}

INSTANTIATE_TEST_SUITE_P(Table, SshRsa,
                         testing::Values(SshRsaRow{"ubuntu-20.04", true},
                                         SshRsaRow{"debian-11", true},
                                         SshRsaRow{"ubuntu-22.04", false},
                                         SshRsaRow{"debian-12", false},
                                         SshRsaRow{"ubuntu-24.04", false}));

TEST(Personas, ReadOutputInTheBlocksOfTheirVersion) {
  EXPECT_EQ(persona("ubuntu-20.04").output_block, 16384U);
  EXPECT_EQ(persona("debian-11").output_block, 16384U);
  for (const char* name : {"ubuntu-22.04", "debian-12", "ubuntu-24.04"}) {
    EXPECT_EQ(persona(name).output_block, 32768U);
  }
}

TEST(Personas, OnlyUbuntu24AnswersNoneAtOnce) {
  for (const char* name : {"ubuntu-20.04", "debian-11", "ubuntu-22.04", "debian-12"}) {
    EXPECT_FALSE(persona(name).none_is_immediate);
    EXPECT_EQ(persona(name).longest_padded, std::chrono::milliseconds(0));
  }
  EXPECT_TRUE(persona("ubuntu-24.04").none_is_immediate);
  EXPECT_EQ(persona("ubuntu-24.04").longest_padded, std::chrono::seconds(5));
}

// What the client's software name takes away (packet_length, padding).
TEST(Personas, ShrunkenListsHaveTheObservedSize) {
  const auto size = [](const char* name, const char* revision, const char* client) {
    const Talk talk(persona(name, revision), client);
    const ByteView packet = talk.first_packet();
    return std::pair(load_u32(packet.data()), unsigned{packet[4]});
  };
  using Pair = std::pair<std::uint32_t, unsigned>;
  const char* no_libssh = "SSH-2.0-OpenSSH_6.6\r\n";
  const char* no_gex = "SSH-2.0-PuTTY_Release_0.63\r\n";
  EXPECT_EQ(size("ubuntu-20.04", "4ubuntu0.5", no_libssh), Pair(1020, 7));
  EXPECT_EQ(size("debian-11", "deb11u1", no_gex), Pair(1012, 7));
  EXPECT_EQ(size("ubuntu-22.04", "3ubuntu0.1", no_libssh), Pair(1044, 4));
  EXPECT_EQ(size("ubuntu-22.04", "3ubuntu0.1", no_gex), Pair(1036, 4));
  EXPECT_EQ(size("debian-12", "", no_libssh), Pair(1100, 8));
  EXPECT_EQ(size("debian-12", "", no_gex), Pair(1092, 8));
  EXPECT_EQ(size("ubuntu-24.04", "", no_libssh), Pair(1084, 4));
  EXPECT_EQ(size("ubuntu-24.04", "", no_gex), Pair(1076, 4));
}

}  // namespace
}  // namespace sandtrap::ssh
