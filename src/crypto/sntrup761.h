// Streamlined NTRU Prime sntrup761 (Bernstein, Chuengsatiansup, Lange, van Vredendaal; round 3 of
// the NIST project): the key encapsulation in OpenSSH's sntrup761x25519-sha512. Secret values touch
// no branch, no index and no division.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/entropy.h"
#include "base/error.h"
#include "crypto/secret.h"

namespace sandtrap::crypto::sntrup761 {

inline constexpr std::size_t kDegree = 761;
inline constexpr std::size_t kPublicKey = 1158;
inline constexpr std::size_t kCiphertext = 1039;
inline constexpr std::size_t kSessionKey = 32;

struct Encapsulated {
  Bytes ciphertext;
  Secret session_key;
};
// What a server does with a client's public key; kInvalid if it is not kPublicKey bytes long.
base::Result<Encapsulated> encapsulate(ByteView public_key, base::Entropy& entropy);

class KeyPair {  // the client's side
 public:
  static KeyPair generate(base::Entropy& entropy);
  const Bytes& public_key() const { return public_key_; }
  Secret secret_key() const;  // in the layout of the NIST submission, for known-answer tests
  // A ciphertext that was not made from our public key gives a key that nobody else has (implicit
  // rejection); only its length can be an error.
  base::Result<Secret> decapsulate(ByteView ciphertext) const;
  // For the constant-time check, which marks them: act(address, size) for each secret part.
  template <class Act>
  void for_each_secret(Act act) const {
    act(f_.data(), f_.size());
    act(g_inverse_.data(), g_inverse_.size());
    act(rejection_.view().data(), rejection_.size());
  }
  ~KeyPair();
  KeyPair(KeyPair&&) noexcept = default;

 private:
  KeyPair() = default;
  using Small = std::array<std::int8_t, kDegree>;
  Small f_, g_inverse_;
  Bytes public_key_;
  Secret rejection_;
};

}  // namespace sandtrap::crypto::sntrup761
