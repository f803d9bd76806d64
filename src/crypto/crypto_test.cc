// Known answers. Sources: RFC 7748 §6.1 (X25519), RFC 4231 and RFC 2202 (HMAC), NIST SP 800-38A
// F.5.1 (AES-CTR), the GCM specification's test case 2, FIPS 180 examples and RFC 1321 (hashes).
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/entropy.h"
#include "crypto/cipher.h"
#include "crypto/elliptic.h"
#include "crypto/hash.h"
#include "crypto/key_agreement.h"
#include "crypto/mac.h"
#include "crypto/secret.h"
#include "crypto/wire.h"

namespace sandtrap::crypto {
namespace {

using base::as_bytes;
using base::to_hex;

Bytes from_hex(std::string_view hex) {
  Bytes out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<std::uint8_t>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return out;
}

TEST(Hash, KnownAnswers) {
  const auto abc = as_bytes("abc");
  EXPECT_EQ(to_hex(hash(HashName::kMd5, abc).view()), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(to_hex(hash(HashName::kSha1, abc).view()), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(to_hex(hash(HashName::kSha256, abc).view()),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(hash(HashName::kSha384, abc).view()),
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
            "8086072ba1e7cc2358baeca134c825a7");
  EXPECT_EQ(to_hex(hash(HashName::kSha512, abc).view()),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

// The sequence number is the first four octets of what is authenticated: "Hi T" of "Hi There".
std::string hmac_of_hi_there(std::string_view name) {
  const auto mac = Mac::create(*find_mac(name), Bytes(20, 0x0b));
  std::uint8_t tag[kMaxTag];
  mac->compute(0x48692054, as_bytes("here"), tag);
  return to_hex({tag, find_mac(name)->tag_size});
}

TEST(Mac, HmacKnownAnswers) {
  EXPECT_EQ(hmac_of_hi_there("hmac-sha2-256"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hmac_of_hi_there("hmac-sha2-512"),
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
            "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854");
  EXPECT_EQ(hmac_of_hi_there("hmac-sha1"), "b617318655057264e28bc0b6fb378c8ef146be00");
  EXPECT_EQ(hmac_of_hi_there("hmac-sha1"), hmac_of_hi_there("hmac-sha1-etm@openssh.com"));
}

TEST(Mac, EveryUseOfAKeyStandsAlone) {
  for (const auto* name : {"umac-64@openssh.com", "umac-128@openssh.com", "hmac-sha2-512"}) {
    const MacSpec& spec = *find_mac(name);
    const Bytes key(spec.key_size, 3);
    const auto one = Mac::create(spec, key), other = Mac::create(spec, key);
    std::uint8_t a[kMaxTag], b[kMaxTag], c[kMaxTag];
    one->compute(7, as_bytes("something before"), a);
    one->compute(8, as_bytes("message"), a);
    other->compute(8, as_bytes("message"), b);
    other->compute(9, as_bytes("message"), c);
    EXPECT_EQ(to_hex({a, spec.tag_size}), to_hex({b, spec.tag_size})) << name;
    EXPECT_NE(to_hex({a, spec.tag_size}), to_hex({c, spec.tag_size})) << name;
  }
  EXPECT_EQ(find_mac("hmac-md5"), nullptr);
}

TEST(Cipher, AesCtrKnownAnswer) {
  AesCtr ctr(from_hex("2b7e151628aed2a6abf7158809cf4f3c"),
             from_hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"));
  Bytes data = from_hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
  ctr.apply(base::MutableByteView(data).first(5));  // the stream goes on wherever it is cut
  ctr.apply(base::MutableByteView(data).subspan(5));
  EXPECT_EQ(to_hex(data), "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff");
}

TEST(Cipher, AesGcmKnownAnswer) {
  AesGcm gcm(Bytes(16, 0), Bytes(12, 0), true);
  Bytes data(16, 0);
  std::uint8_t tag[AesGcm::kTag];
  gcm.seal({}, data, tag);
  EXPECT_EQ(to_hex(data), "0388dace60b6a392f328c2b971b2fe78");
  EXPECT_EQ(to_hex(tag), "ab6e47d42cec13bdf53a67b21257bddf");
}

TEST(Cipher, ChaChaPolySealsAndOpens) {
  const Bytes key = from_hex(
      "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
      "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f");
  ChaChaPoly sealer(key), opener(key);
  for (const std::uint32_t sequence : {0u, 1u, 0xffffffffu}) {
    Bytes packet = from_hex("0000000c06020000000000000000000000");
    packet.resize(16);
    const Bytes before = packet;
    std::uint8_t tag[ChaChaPoly::kTag];
    sealer.seal(sequence, packet, tag);
    EXPECT_EQ(opener.length(sequence, packet.data()), 12u);
    Bytes damaged = packet;
    damaged[9] ^= 1;
    EXPECT_FALSE(opener.open(sequence, damaged, tag));
    EXPECT_FALSE(opener.open(sequence + 1, damaged = packet, tag));
    EXPECT_TRUE(opener.open(sequence, packet, tag));
    EXPECT_EQ(packet, before);
  }
}

TEST(KeyAgreement, X25519KnownAnswer) {
  const auto bob = X25519Key::from_private(
      from_hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
  ASSERT_TRUE(bob);
  EXPECT_EQ(to_hex(bob->public_value()),
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  const auto shared =
      bob->shared(from_hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
  ASSERT_TRUE(shared);
  EXPECT_EQ(to_hex(shared->view()),
            "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

TEST(KeyAgreement, DegenerateValuesAreRefused) {
  base::SystemEntropy entropy;
  const auto refused = [&](Agreement which, const Bytes& value) {
    return !respond(which, value, entropy).has_value();
  };
  Bytes one(32, 0);
  one[0] = 1;
  EXPECT_TRUE(refused(Agreement::kCurve25519, Bytes(32, 0)));
  EXPECT_TRUE(refused(Agreement::kCurve25519, one));
  EXPECT_TRUE(refused(Agreement::kCurve25519, Bytes(33, 9)));
  EXPECT_TRUE(refused(Agreement::kNistP256, Bytes{}));
  EXPECT_TRUE(refused(Agreement::kNistP256, Bytes{0}));
  EXPECT_TRUE(refused(Agreement::kNistP256, Bytes(65, 4)));
  EXPECT_TRUE(refused(Agreement::kNistP384, Bytes(65, 4)));

  const DhGroup group = dh_group(Agreement::kDhGroup14);
  Bytes minus_one = group.prime;
  minus_one.back() = static_cast<std::uint8_t>(minus_one.back() - 1);
  for (const Bytes& bad : {Bytes{}, Bytes{1}, Bytes{2}, Bytes{7}, minus_one, group.prime}) {
    EXPECT_TRUE(refused(Agreement::kDhGroup14, bad));
  }
  EXPECT_FALSE(refused(Agreement::kDhGroup14, Bytes{15}));
}

TEST(KeyAgreement, BothSidesAgree) {
  base::SystemEntropy entropy;
  for (const Agreement which :
       {Agreement::kCurve25519, Agreement::kNistP256, Agreement::kNistP384, Agreement::kNistP521,
        Agreement::kDhGroup14, Agreement::kDhGroup16}) {
    auto client = Initiator::start(which, entropy);
    ASSERT_TRUE(client);
    const auto server = respond(which, (*client)->ours(), entropy);
    ASSERT_TRUE(server);
    const auto shared = (*client)->finish(server->ours);
    ASSERT_TRUE(shared);
    EXPECT_TRUE(shared->equals(server->shared.view()));
    EXPECT_FALSE(shared->empty());
  }
}

TEST(Wire, AFailureLatches) {
  const Bytes bytes{0, 0, 0, 9, 'a', 'b'};
  Reader r(bytes);
  EXPECT_TRUE(r.string().empty());
  EXPECT_FALSE(r.ok());
  EXPECT_EQ(r.byte(), 0);
  EXPECT_FALSE(r.done());
}

TEST(Wire, MpintForms) {
  // RFC 4251 §5's examples.
  EXPECT_EQ(to_hex(Writer().mpint({}).view()), "00000000");
  EXPECT_EQ(to_hex(Writer().mpint(from_hex("09a378f9b2e332a7")).view()),
            "0000000809a378f9b2e332a7");
  EXPECT_EQ(to_hex(Writer().mpint(from_hex("80")).view()), "000000020080");
  const Bytes negative = from_hex("00000002edcc");
  Reader r(negative);
  r.mpint();
  EXPECT_FALSE(r.ok());
}

TEST(Wire, NulInsideATextIsAFailure) {
  const Bytes inside{0, 0, 0, 3, 'a', 0, 'b'}, at_end{0, 0, 0, 2, 'a', 0};
  Reader first(inside), second(at_end);
  first.text();
  EXPECT_FALSE(first.ok());
  EXPECT_EQ(second.text(), "a");
  EXPECT_TRUE(second.done());
}

TEST(WireProperty, WhatIsWrittenIsRead) {
  EXPECT_TRUE(rc::check([](const Bytes& s, std::uint32_t u, std::uint64_t w, bool b, Bytes number) {
    Writer out;
    out.string(s).u32(u).u64(w).boolean(b).mpint(number).byte(7);
    Reader in(out.view());
    const auto same = [](ByteView a, ByteView c) {
      return std::equal(a.begin(), a.end(), c.begin(), c.end());
    };
    RC_ASSERT(same(in.string(), s));
    RC_ASSERT(in.u32() == u);
    RC_ASSERT(in.u64() == w);
    RC_ASSERT(in.boolean() == b);
    while (!number.empty() && number.front() == 0) number.erase(number.begin());
    RC_ASSERT(same(in.mpint(), number));
    RC_ASSERT(in.byte() == 7);
    RC_ASSERT(in.done());
  }));
}

TEST(Secret, ComparesAndWipes) {
  Secret a(as_bytes("key"));
  EXPECT_TRUE(a.equals(as_bytes("key")));
  EXPECT_FALSE(a.equals(as_bytes("kez")));
  EXPECT_FALSE(a.equals(as_bytes("keys")));
  const Secret b = std::move(a);
  EXPECT_EQ(b.size(), 3u);
}

}  // namespace
}  // namespace sandtrap::crypto
