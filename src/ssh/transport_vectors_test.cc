// What a Debian 12 sshd (9.2p1-2+deb12u10) was observed to answer, byte for byte: odd
// identification lines, malformed and misplaced packets, strict KEX violations.
#include <gtest/gtest.h>

#include "crypto/hash.h"
#include "ssh/identification.h"
#include "ssh/kex_moduli.h"
#include "ssh/transport.h"
#include "ssh/transport_messages.h"
#include "ssh/wire.h"
#include "support/joined.h"
#include "support/ssh_client.h"

namespace sandtrap::ssh {
namespace {

using test::ClientOptions;
using test::HostKeys;
using test::SeededEntropy;
using test::SshClient;

const std::string kBanner = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n";
const std::string kInvalid = "Invalid SSH identification string.\r\n";
const std::string kMismatch = "Protocol major versions differ.\r\n";
const std::string kClient = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n";

enum class End { kOpen, kFin, kRst };

// A plain packet with zero padding, as both sides send before there are keys.
Bytes plain(ByteView payload, int padding = -1) {
  std::size_t pad = 8 - (payload.size() + 5) % 8;
  if (pad < 4) pad += 8;
  Writer w;
  w.u32(static_cast<std::uint32_t>(1 + payload.size() + pad));
  w.byte(static_cast<std::uint8_t>(padding < 0 ? pad : static_cast<std::size_t>(padding)));
  w.raw(payload).raw(Bytes(pad, 0));
  return w.take();
}

Bytes plain_type(std::uint8_t type) {
  return plain(Bytes{type});
}

Bytes kex_init(bool strict, std::string kex = "curve25519-sha256") {
  SeededEntropy entropy(9);
  ClientOptions o;
  o.automatic = false;
  o.strict = strict;
  o.ext_info = false;
  o.kex = std::move(kex);
  SshClient client(o, entropy);
  return plain(client.kex_init_payload());
}

Bytes disconnect_packet(const std::string& text) {
  return plain(Writer(message::kDisconnect).u32(2).string(text).string("").view());
}

Bytes unimplemented_packet(std::uint32_t sequence) {
  return plain(Writer(message::kUnimplemented).u32(sequence).view());
}

struct Answer {
  Bytes output;
  std::size_t last_write = 0;
  End end = End::kOpen;
};

Answer ask(ByteView wire, bool half_close = false) {
  static const Profile profile = debian_12();
  SeededEntropy entropy;
  Transport server(profile, HostKeys::shared().public_keys(), entropy, Instant{});
  Answer answer;
  const auto drain = [&] {
    while (auto event = server.next_event()) {
      if (auto* sign = std::get_if<SignNeeded>(&*event)) {
        server.submit_signature(sign->id, HostKeys::shared().sign(*sign), Instant{});
      }
    }
  };
  while (!wire.empty() && !server.closed()) {
    const std::size_t n = test::feed(server, wire, Instant{});
    if (n == 0) break;
    wire = wire.subspan(n);
    drain();
  }
  if (half_close) server.peer_eof(Instant{});
  drain();
  while (!server.pending_output().empty()) {
    const ByteView write = server.pending_output();
    base::append(answer.output, write);
    answer.last_write = write.size();
    server.consumed(write.size());
  }
  if (server.closed()) answer.end = wire.empty() ? End::kFin : End::kRst;
  return answer;
}

Answer ask(const std::string& text) {
  return ask(base::as_bytes(text));
}

Answer ask_packets(const std::vector<Bytes>& packets) {
  Bytes wire = base::to_bytes(kClient);
  for (const Bytes& p : packets) base::append(wire, p);
  return ask(wire);
}

// The answer behind banner and KEXINIT, which has to be 1136 bytes with the padding of zeros.
Bytes behind_kex_init(const Answer& answer) {
  const std::size_t size = 4 + load_u32(answer.output.data() + kBanner.size());
  const ByteView rest = ByteView(answer.output).subspan(kBanner.size());
  EXPECT_EQ(rest[5], message::kKexInit);
  return Bytes(rest.begin() + static_cast<std::ptrdiff_t>(size), rest.end());
}

bool has_kex_init(const Answer& a) {
  return a.output.size() > kBanner.size() + 6 && a.output[kBanner.size() + 5] == message::kKexInit;
}

std::string text_of(const Answer& a) {
  return base::to_string(a.output);
}

struct IdCase {
  std::string input, reply;
  End end;
};

// Two writes, as sshd: Nagle's algorithm holds the second one, and a reset discards it.
TEST(Identification, TheEndOfAnErrorLineIsAWriteOfItsOwn) {
  EXPECT_EQ(ask("\n\n").last_write, 2u);
  EXPECT_EQ(ask("SSH-1.5-x\n").last_write, 2u);
  EXPECT_EQ(ask("SSH-2.0-Probe-1\n").last_write, kBanner.size());
}

TEST(Identification, ErrorsAreAnsweredAsSshdDoes) {
  const std::string nul(1, '\0');
  const IdCase cases[] = {
      {"", "", End::kOpen},
      {"SSH-2.0-x\r", "", End::kOpen},
      {std::string(8192, 'a'), "", End::kOpen},
      {"\n", kInvalid, End::kFin},
      {"\r\n", kInvalid, End::kFin},
      {"\r\r\n", kInvalid, End::kFin},
      {"hello\r\n", kInvalid, End::kFin},
      {"SSH-\r\n", kInvalid, End::kFin},
      {"SSH-x\r\n", kInvalid, End::kFin},
      {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", kInvalid, End::kRst},
      {"welcome\r\nSSH-2.0-x\r\n", kInvalid, End::kRst},
      {"\n\n", kInvalid, End::kRst},
      {"SSH-1.5-probe\r\n", kMismatch, End::kFin},
      {"SSH-1.0-x\n", kMismatch, End::kFin},
      {"SSH-1.100-x\n", kMismatch, End::kFin},
      {"SSH-3.0-x\n", kMismatch, End::kFin},
      {"SSH-0.0-x\n", kMismatch, End::kFin},
      {"SSH--2.0-x\n", kMismatch, End::kFin},
      {"SSH-2.0\r\n", kInvalid, End::kFin},
      {"SSH-2.0-\r\n", kInvalid, End::kFin},
      {"SSH-2.-x\r\n", kInvalid, End::kFin},
      {"SSH-2-x\r\n", kInvalid, End::kFin},
      {"SSH-2.0 x\r\n", kInvalid, End::kFin},
      {"ssh-2.0-x\r\n", kInvalid, End::kFin},
      {" SSH-2.0-x\r\n", kInvalid, End::kFin},
      {"SSH-2.0-a\rb\r\n", kInvalid, End::kRst},
      {"SSH-2.0-a" + nul + "b\r\n", kInvalid, End::kRst},
      {nul, kInvalid, End::kFin},
      {std::string(8193, 'a'), kInvalid, End::kFin},
      {"SSH-2.0-" + std::string(8185, 'a') + "\n", kInvalid, End::kRst},
      {"SSH-2.0-Probe-1\r\n", "", End::kFin},
      {"SSH-2.0-x_SSH_Version_Mapper_y\r\n", "", End::kFin},
  };
  for (const IdCase& c : cases) {
    const Answer a = ask(c.input);
    EXPECT_EQ(text_of(a), kBanner + c.reply) << c.input;
    EXPECT_EQ(a.end, c.end) << c.input;
  }
}

TEST(Identification, WhateverScanfTakesIsGood) {
  for (const std::string line :
       {"SSH-1.99-x", "SSH-2.0-x", "SSH-2.1-x", "SSH-2.99-x", "SSH-02.00-x", "SSH-+2.+0-x",
        "SSH- 2. 0-x", "SSH-2.0- ", "SSH-2.0-x  ", "SSH-2.0-x comment", "SSH-2.0-\xff\xfe",
        "SSH-4294967298.0-x"}) {
    for (const std::string end : {"\n", "\r\n", "\r\r\n"}) {
      const Answer a = ask(line + end);
      EXPECT_TRUE(has_kex_init(a)) << line;
      EXPECT_EQ(a.end, End::kOpen) << line;
    }
  }
  EXPECT_TRUE(has_kex_init(ask("SSH-2.0-" + std::string(8184, 'a') + "\r\n")));
}

TEST(Identification, AHalfCloseEndsTheConnection) {
  const std::string partial = "SSH-2.0-x";
  const Answer a = ask(base::as_bytes(partial), true);
  EXPECT_EQ(text_of(a), kBanner);
  EXPECT_EQ(a.end, End::kFin);
}

TEST(Identification, PacketsBeforeTheLineAreAnInvalidLine) {
  const Answer a = ask(kex_init(false));
  EXPECT_EQ(text_of(a), kBanner + kInvalid);
  EXPECT_EQ(a.end, End::kRst);
}

TEST(Identification, NothingIsReadBeyondTheEndOfTheLine) {
  IdentificationReader reader(8192);
  const std::string text = "SSH-2.0-x\r\nrest";
  EXPECT_EQ(reader.take(base::as_bytes(text)), 11u);
  EXPECT_EQ(reader.feed(base::as_bytes(text).first(11)), IdentificationReader::State::kAccepted);
  EXPECT_EQ(reader.line(), "SSH-2.0-x");
  EXPECT_EQ(reader.software(), "x");
  EXPECT_EQ(reader.take(base::as_bytes(text)), 0u);
}

std::string kex_list_for(const std::string& software) {
  const Answer a = ask("SSH-2.0-" + software + "\r\n");
  const ByteView packet = ByteView(a.output).subspan(kBanner.size());
  const auto parsed = parse_kex_init(packet.subspan(5, packet.size() - 5 - packet[4]));
  EXPECT_TRUE(parsed) << software;
  return parsed ? parsed->lists[KexInit::kKex] : "";
}

TEST(Identification, SomeClientsGetAShorterList) {
  const auto has = [](const std::string& list, std::string_view name) {
    return list.find(name) != std::string::npos;
  };
  const std::string_view libssh = "curve25519-sha256@libssh.org", gex = "group-exchange";
  EXPECT_FALSE(has(kex_list_for("OpenSSH_6.6p1"), libssh));
  EXPECT_TRUE(has(kex_list_for("OpenSSH_6.6.1p1"), libssh));
  EXPECT_TRUE(has(kex_list_for("OpenSSH_6.6p1"), gex));
  EXPECT_FALSE(has(kex_list_for("PuTTY_Release_0.63"), gex));
  EXPECT_FALSE(has(kex_list_for("WinSCP_release_5.1.3"), gex));
  EXPECT_TRUE(has(kex_list_for("WinSCP_release_5.2"), gex));
  EXPECT_TRUE(has(kex_list_for("PuTTY_Release_0.78"), gex));
}

TEST(ServerKexInit, IsDebian12s) {
  const Answer a = ask(kClient);
  const ByteView packet = ByteView(a.output).subspan(kBanner.size());
  const std::size_t padding = packet[4];
  EXPECT_EQ(packet.size(), 1136u);
  EXPECT_EQ(load_u32(packet.data()), 1132u);
  EXPECT_EQ(padding, 11u);
  const auto lists = parse_kex_init(packet.subspan(5, packet.size() - 5 - padding));
  ASSERT_TRUE(lists);
  EXPECT_EQ(lists->lists[KexInit::kHostKey],
            "rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256,ssh-ed25519");
  EXPECT_EQ(lists->lists[KexInit::kCipherC2s], lists->lists[KexInit::kCipherS2c]);
  EXPECT_FALSE(lists->first_packet_follows);
  const auto& l = lists->lists;
  const std::string hassh = l[KexInit::kKex] + ";" + l[KexInit::kCipherS2c] + ";" +
                            l[KexInit::kMacS2c] + ";" + l[KexInit::kCompressionS2c];
  EXPECT_EQ(base::to_hex(crypto::hash(crypto::HashName::kMd5, base::as_bytes(hassh)).view()),
            "425d29fe50d8e4f5e37efb6e24bcf660");
  for (const std::uint8_t b : packet.last(padding)) EXPECT_EQ(b, 0);
}

// Rows 10-27 of the table; every one has [KEXINIT] first.
struct PacketCase {
  const char* what;
  std::vector<Bytes> input;
  Bytes reply;
  End end;
};

Bytes join(std::initializer_list<Bytes> parts) {
  Bytes out;
  for (const Bytes& p : parts) base::append(out, p);
  return out;
}

const std::string kNotFirst = "strict KEX violation: KEXINIT was not the first packet";

TEST(PlainPackets, AreAnsweredAsSshdDoes) {
  const Bytes kx = kex_init(false), xs = kex_init(true);
  const Bytes zero_value = plain(Writer(message::kKexEcdhInit).string(Bytes(32, 0)).view());
  const Bytes short_value = plain(Writer(message::kKexEcdhInit).string(Bytes(31, 9)).view());
  const Bytes trailing = plain(Writer(message::kKexEcdhInit).string(Bytes(32, 9)).byte(0).view());
  const PacketCase cases[] = {
      {"second id line", {base::to_bytes("SSH-2.0-x\r\n")}, {}, End::kFin},
      {"nothing in common", {kex_init(false, "diffie-hellman-group1-sha1")}, {}, End::kFin},
      {"only a marker in common", {kex_init(false, "kex-strict-s-v00@openssh.com")}, {}, End::kFin},
      {"empty names end a list", {kex_init(false, ",,curve25519-sha256")}, {}, End::kFin},
      {"second KEXINIT", {kx, kx}, unimplemented_packet(1), End::kOpen},
      {"second KEXINIT, strict",
       {xs, xs},
       disconnect_packet("strict KEX violation: unexpected packet type 20 (seqnr 1)"),
       End::kFin},
      {"IGNORE, strict",
       {xs, plain_type(2)},
       disconnect_packet("strict KEX violation: unexpected packet type 2 (seqnr 1)"),
       End::kFin},
      {"IGNORE before strict", {plain_type(2), xs}, disconnect_packet(kNotFirst), End::kFin},
      {"EXT_INFO before strict",
       {plain_type(7), xs},
       join({unimplemented_packet(0), disconnect_packet(kNotFirst)}),
       End::kFin},
      {"X25519 of zero", {kx, zero_value}, {}, End::kFin},
      {"X25519 too short", {kx, short_value}, {}, End::kFin},
      {"trailing bytes", {kx, trailing}, {}, End::kFin},
      {"length 0", {Bytes(16, 0)}, {}, End::kFin},
      {"not aligned", {Bytes{0, 0, 0, 13, 4, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}, {}, End::kFin},
      {"too long", {Bytes{0, 4, 0, 4, 4, 2, 0, 0}}, {}, End::kFin},
      {"longest, never completed", {Bytes{0, 3, 255, 252, 4, 2, 0, 0}}, {}, End::kOpen},
      {"padding 0",
       {plain(ByteView(kx).subspan(5, kx.size() - 5 - kx[4]), 0)},
       disconnect_packet("Corrupted padlen 0 on input."),
       End::kFin},
      {"padding eats the type", {plain(Bytes{2}, 11)}, {}, End::kFin},
      {"type 0", {plain_type(0)}, disconnect_packet("Invalid ssh2 packet type: 0"), End::kFin},
      {"type 5", {plain_type(5)}, unimplemented_packet(0), End::kOpen},
      {"type 30 early", {plain_type(30)}, unimplemented_packet(0), End::kOpen},
      {"old gex request", {kx, plain_type(34)}, unimplemented_packet(1), End::kOpen},
      {"type 50", {plain_type(50)}, {}, End::kFin},
      {"type 191", {plain_type(191)}, {}, End::kFin},
      {"type 192",
       {plain_type(192)},
       disconnect_packet("Invalid ssh2 packet type: 192"),
       End::kFin},
      {"type 255",
       {plain_type(255)},
       disconnect_packet("Invalid ssh2 packet type: 255"),
       End::kFin},
      {"NEWKEYS early", {kx, plain_type(21)}, unimplemented_packet(1), End::kOpen},
      {"IGNORE", {plain_type(2)}, {}, End::kOpen},
      {"IGNORE, sequence numbers count it",
       {plain_type(2), plain_type(6)},
       unimplemented_packet(1),
       End::kOpen},
      {"truncated UNIMPLEMENTED", {plain_type(3)}, {}, End::kFin},
      {"truncated DEBUG", {plain_type(4)}, {}, End::kFin},
      {"DISCONNECT", {plain_type(1)}, {}, End::kFin},
  };
  for (const PacketCase& c : cases) {
    const Answer a = ask_packets(c.input);
    ASSERT_TRUE(has_kex_init(a)) << c.what;
    EXPECT_EQ(base::to_hex(behind_kex_init(a)), base::to_hex(c.reply)) << c.what;
    EXPECT_EQ(a.end, c.end) << c.what;
  }
}

TEST(PlainPackets, ASpokenErrorIsWhatTheTableShows) {
  EXPECT_EQ(base::to_hex(disconnect_packet("Invalid ssh2 packet type: 0")).substr(0, 28),
            "000000340b01000000020000001b");
  EXPECT_EQ(base::to_hex(unimplemented_packet(1)), "0000000c060300000001000000000000");
}

Answer ask_group(std::uint32_t min, std::uint32_t n, std::uint32_t max) {
  return ask_packets({kex_init(false, "diffie-hellman-group-exchange-sha256"),
                      plain(Writer(message::kGexRequest).u32(min).u32(n).u32(max).view())});
}

TEST(GroupExchange, RangesAreCheckedAsSent) {
  for (const auto& [min, n, max] : std::vector<std::array<std::uint32_t, 3>>{
           {1024, 1024, 1024}, {2048, 1024, 8192}, {0, 0, 0}, {9000, 9000, 9000}}) {
    const Answer a = ask_group(min, n, max);
    EXPECT_EQ(behind_kex_init(a), Bytes{}) << min;
    EXPECT_EQ(a.end, End::kFin) << min;
  }
  const Answer a = ask_group(2048, 2048, 2048);
  const Bytes reply = behind_kex_init(a);
  EXPECT_EQ(a.end, End::kOpen);
  EXPECT_EQ(base::to_hex(ByteView(reply).first(11)), "00000114081f0000010100");
  EXPECT_EQ(base::to_hex(ByteView(reply).subspan(reply.size() - 13)),
            "0000000102" + std::string(16, '0'));
  EXPECT_EQ(ask_group(1024, 1024, 8192).end, End::kOpen);
}

TEST(GroupExchange, AModuliFileIsChosenFromLikeSshd) {
  const std::string p2048(512, 'f'), p3072(768, 'f'), p3072b = "e" + std::string(767, 'f');
  const std::string text =
      "# comment\n"
      "20200101000000 2 6 100 2047 2 " +
      p2048 +
      "\n"
      "20200101000000 2 6 100 3071 5 " +
      p3072 +
      "\n"
      "20200101000000 2 6 100 3071 2 " +
      p3072b +
      "\n"
      "20200101000000 4 6 100 4095 2 " +
      std::string(1024, 'f') +
      "\n"  // not a safe prime
      "20200101000000 2 7 100 4095 2 " +
      std::string(1024, 'f') +
      "\n"  // composite
      "20200101000000 2 6 100 4095 2 " +
      std::string(900, 'f') +
      "\n"  // wrong size
      "garbage\n";
  const auto moduli = parse_moduli(text);
  ASSERT_EQ(moduli.size(), 3u);
  SeededEntropy entropy;
  const auto bits = [&](GroupRequest r) {
    const auto g = choose_group(moduli, r, entropy);
    return g ? g->prime.size() * 8 : 0;
  };
  EXPECT_EQ(bits({1024, 1024, 8192}), 2048u);
  EXPECT_EQ(bits({2048, 2049, 8192}), 3072u);
  EXPECT_EQ(bits({2048, 8192, 8192}), 3072u);  // the largest there is
  bool first = false, second = false;
  for (int i = 0; i < 100; ++i) {
    const auto g = choose_group(moduli, {3072, 3072, 3072}, entropy);
    ASSERT_TRUE(g);
    (g->generator == Bytes{5} ? first : second) = true;
  }
  EXPECT_TRUE(first && second);
}

}  // namespace
}  // namespace sandtrap::ssh
