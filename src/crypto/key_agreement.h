// The public-key half of SSH key exchange: what each side sends, and the secret both then share.
// Values are the raw octets of the wire fields (DH: the magnitude of the mpint). The other side's
// value is hostile: wrong lengths, points off the curve and degenerate results are errors.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/entropy.h"
#include "base/error.h"
#include "crypto/secret.h"

namespace sandtrap::crypto {

enum class Agreement : std::uint8_t {
  kCurve25519,  // RFC 8731
  kNistP256,    // RFC 5656 §4
  kNistP384,
  kNistP521,
  kDhGroup1,   // RFC 4253 §8.1, the 1024-bit prime of RFC 2409: for ancient clients alone
  kDhGroup14,  // RFC 8268, RFC 3526 primes
  kDhGroup16,
  kDhGroup18,
  kSntrup761Curve25519,  // draft-ietf-sshm-ntruprime-ssh
};

struct DhGroup {  // big-endian magnitudes
  Bytes prime, generator;
};
DhGroup dh_group(Agreement which);  // of the four fixed DH agreements

struct Agreed {
  Bytes ours;     // our value for the wire
  Secret shared;  // magnitude octets of K; SHA-512 of both secrets for the sntrup761 hybrid
};

// The server's part in one step.
base::Result<Agreed> respond(Agreement which, ByteView theirs, base::Entropy& entropy);
base::Result<Agreed> respond(const DhGroup& group, ByteView theirs, base::Entropy& entropy);

// The client's part: send ours(), then finish() with the server's value. For the test client.
class Initiator {
 public:
  virtual ~Initiator() = default;
  virtual const Bytes& ours() const = 0;
  virtual base::Result<Secret> finish(ByteView theirs) = 0;

  static base::Result<std::unique_ptr<Initiator>> start(Agreement which, base::Entropy& entropy);
  static base::Result<std::unique_ptr<Initiator>> start(const DhGroup& group,
                                                        base::Entropy& entropy);
};

}  // namespace sandtrap::crypto
