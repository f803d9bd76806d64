// Ephemeral keys on Curve25519 and the NIST curves.
#pragma once

#include <array>

#include "base/entropy.h"
#include "base/error.h"
#include "crypto/key_agreement.h"
#include "crypto/openssl.h"
#include "crypto/secret.h"

namespace sandtrap::crypto {

inline constexpr std::size_t kX25519Size = 32;

class X25519Key {
 public:
  static base::Result<X25519Key> generate(base::Entropy& entropy);
  static base::Result<X25519Key> from_private(ByteView scalar);
  const Bytes& public_value() const { return public_; }
  // An all-zero result (RFC 7748 §6.1, low-order input) is an error.
  base::Result<Secret> shared(ByteView theirs) const;

 private:
  PkeyPtr key_;
  Bytes public_;
};

class EcdhKey {
 public:
  static base::Result<EcdhKey> generate(Agreement curve, base::Entropy& entropy);
  const Bytes& public_value() const { return public_; }  // uncompressed point
  base::Result<Secret> shared(ByteView theirs) const;    // x coordinate

 private:
  GroupPtr group_;
  BnPtr scalar_;
  Bytes public_;
};

}  // namespace sandtrap::crypto
