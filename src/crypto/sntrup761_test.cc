// The submission's known answer, in the form in which PQClean publishes it: the SHA-256 of a text
// with seed, keys, ciphertext and shared secret, all drawn from NIST's AES-256 CTR generator.
// https://github.com/PQClean/PQClean crypto_kem/sntrup761/META.yml, nistkat-sha256.
#include "crypto/sntrup761.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/cipher.h"
#include "crypto/hash.h"

namespace sandtrap::crypto::sntrup761 {
namespace {

// NIST's KAT generator (SP 800-90A CTR_DRBG with AES-256, no derivation function).
class KatEntropy final : public base::Entropy {
 public:
  explicit KatEntropy(ByteView seed) {
    Bytes next(48, 0);
    stream_after_counter().apply(next);
    for (std::size_t i = 0; i < next.size(); ++i) next[i] ^= seed[i];
    take(next);
  }
  void fill(base::MutableByteView out) override {
    Bytes blocks((out.size() + 15) / 16 * 16, 0), next(48, 0);
    AesCtr stream = stream_after_counter();
    stream.apply(blocks);
    stream.apply(next);
    std::copy_n(blocks.begin(), out.size(), out.begin());
    take(next);
  }

 private:
  AesCtr stream_after_counter() const {
    Bytes counter = value_;
    for (std::size_t i = counter.size(); i-- > 0;) {
      if (++counter[i] != 0) break;
    }
    return AesCtr(key_, counter);
  }
  void take(ByteView next) {
    key_.assign(next.begin(), next.begin() + 32);
    value_.assign(next.begin() + 32, next.end());
  }
  Bytes key_ = Bytes(32, 0), value_ = Bytes(16, 0);
};

std::string line(std::string_view name, ByteView bytes) {
  std::string hex = base::to_hex(bytes);
  std::transform(hex.begin(), hex.end(), hex.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return std::string(name) + " = " + hex + "\n";
}

TEST(Sntrup761, TheSubmissionsKnownAnswer) {
  Bytes counting(48);
  for (std::size_t i = 0; i < counting.size(); ++i) counting[i] = static_cast<std::uint8_t>(i);
  Bytes seed(48);
  KatEntropy(counting).fill(seed);
  KatEntropy entropy(seed);
  const KeyPair pair = KeyPair::generate(entropy);
  const auto sent = encapsulate(pair.public_key(), entropy);
  ASSERT_TRUE(sent);
  const auto received = pair.decapsulate(sent->ciphertext);
  ASSERT_TRUE(received);
  EXPECT_TRUE(received->equals(sent->session_key.view()));

  const std::string text = "count = 0\n" + line("seed", seed) + line("pk", pair.public_key()) +
                           line("sk", pair.secret_key().view()) + line("ct", sent->ciphertext) +
                           line("ss", sent->session_key.view());
  EXPECT_EQ(base::to_hex(hash(HashName::kSha256, base::as_bytes(text)).view()),
            "afc42c3a5b10f4ef69654250097ebda9b9564570f4086744b24a6daf2bd1f89a");
}

TEST(Sntrup761, BothSidesAgreeAndDamageIsRejectedInSilence) {
  base::SystemEntropy entropy;
  const KeyPair pair = KeyPair::generate(entropy);
  EXPECT_EQ(pair.public_key().size(), kPublicKey);
  for (int i = 0; i < 5; ++i) {
    const auto sent = encapsulate(pair.public_key(), entropy);
    ASSERT_TRUE(sent);
    EXPECT_EQ(sent->ciphertext.size(), kCiphertext);
    const auto received = pair.decapsulate(sent->ciphertext);
    ASSERT_TRUE(received);
    EXPECT_TRUE(received->equals(sent->session_key.view()));

    Bytes damaged = sent->ciphertext;
    damaged[static_cast<std::size_t>(i) * 200] ^= 1;
    const auto other = pair.decapsulate(damaged), again = pair.decapsulate(damaged);
    ASSERT_TRUE(other && again);
    EXPECT_FALSE(other->equals(sent->session_key.view()));
    EXPECT_TRUE(other->equals(again->view()));
  }
}

TEST(Sntrup761, AnyPublicKeyBytesAreHarmless) {
  base::SystemEntropy entropy;
  EXPECT_FALSE(encapsulate(Bytes(kPublicKey - 1, 0), entropy));
  EXPECT_TRUE(encapsulate(Bytes(kPublicKey, 0), entropy));
  EXPECT_TRUE(encapsulate(Bytes(kPublicKey, 0xff), entropy));
}

}  // namespace
}  // namespace sandtrap::crypto::sntrup761
