// Finite-field Diffie-Hellman with OpenSSH's checks of the peer's value (dh_pub_is_valid).
#pragma once

#include "base/entropy.h"
#include "base/error.h"
#include "crypto/key_agreement.h"
#include "crypto/openssl.h"
#include "crypto/secret.h"

namespace sandtrap::crypto {

class DhKey {
 public:
  static base::Result<DhKey> generate(const DhGroup& group, base::Entropy& entropy);
  const Bytes& public_value() const { return public_; }
  base::Result<Secret> shared(ByteView theirs) const;

 private:
  BnPtr prime_, exponent_;
  Bytes public_;
};

}  // namespace sandtrap::crypto
