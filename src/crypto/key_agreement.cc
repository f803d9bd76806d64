#include "crypto/key_agreement.h"

#include "crypto/diffie_hellman.h"
#include "crypto/elliptic.h"
#include "crypto/hash.h"
#include "crypto/sntrup761.h"

namespace sandtrap::crypto {
namespace {

using base::Errc;
using base::Result;

// A private value with both of its uses, whatever the mathematics behind it.
template <class Key>
class KeyInitiator final : public Initiator {
 public:
  explicit KeyInitiator(Key key, Bytes ours) : key_(std::move(key)), ours_(std::move(ours)) {}
  const Bytes& ours() const override { return ours_; }
  Result<Secret> finish(ByteView theirs) override { return key_.shared(theirs); }

 private:
  Key key_;
  Bytes ours_;
};

// draft-ietf-sshm-ntruprime-ssh: both values are joined, K is the hash of both secrets.
Secret hybrid_secret(const Secret& lattice, const Secret& curve) {
  const Digest d = Hash(HashName::kSha512).update(lattice.view()).update(curve.view()).finish();
  return Secret(d.view());
}

class HybridKey {
 public:
  static Result<HybridKey> generate(base::Entropy& entropy) {
    auto curve = X25519Key::generate(entropy);
    if (!curve) return tl::unexpected(curve.error());
    return HybridKey(sntrup761::KeyPair::generate(entropy), std::move(*curve));
  }
  Bytes public_value() const {
    Bytes both = lattice_.public_key();
    base::append(both, curve_.public_value());
    return both;
  }
  Result<Secret> shared(ByteView theirs) const {
    if (theirs.size() != sntrup761::kCiphertext + kX25519Size) {
      return base::fail(Errc::kInvalid, "sntrup761x25519: wrong length");
    }
    const auto lattice = lattice_.decapsulate(theirs.first(sntrup761::kCiphertext));
    const auto curve = curve_.shared(theirs.subspan(sntrup761::kCiphertext));
    if (!lattice || !curve) return base::fail(Errc::kInvalid, "sntrup761x25519: bad value");
    return hybrid_secret(*lattice, *curve);
  }

 private:
  HybridKey(sntrup761::KeyPair lattice, X25519Key curve)
      : lattice_(std::move(lattice)), curve_(std::move(curve)) {}
  sntrup761::KeyPair lattice_;
  X25519Key curve_;
};

Result<Agreed> respond_hybrid(ByteView theirs, base::Entropy& entropy) {
  if (theirs.size() != sntrup761::kPublicKey + kX25519Size) {
    return base::fail(Errc::kInvalid, "sntrup761x25519: wrong length");
  }
  auto key = X25519Key::generate(entropy);
  if (!key) return tl::unexpected(key.error());
  const auto curve = key->shared(theirs.subspan(sntrup761::kPublicKey));
  if (!curve) return tl::unexpected(curve.error());
  auto lattice = sntrup761::encapsulate(theirs.first(sntrup761::kPublicKey), entropy);
  if (!lattice) return tl::unexpected(lattice.error());
  Bytes ours = std::move(lattice->ciphertext);
  base::append(ours, key->public_value());
  return Agreed{std::move(ours), hybrid_secret(lattice->session_key, *curve)};
}

template <class Key>
Result<Agreed> respond_with(Result<Key> key, ByteView theirs) {
  if (!key) return tl::unexpected(key.error());
  Result<Secret> shared = key->shared(theirs);
  if (!shared) return tl::unexpected(shared.error());
  return Agreed{key->public_value(), std::move(*shared)};
}

template <class Key>
Result<std::unique_ptr<Initiator>> start_with(Result<Key> key) {
  if (!key) return tl::unexpected(key.error());
  Bytes ours = key->public_value();
  return std::make_unique<KeyInitiator<Key>>(std::move(*key), std::move(ours));
}

}  // namespace

Result<Agreed> respond(const DhGroup& group, ByteView theirs, base::Entropy& entropy) {
  return respond_with(DhKey::generate(group, entropy), theirs);
}

Result<Agreed> respond(Agreement which, ByteView theirs, base::Entropy& entropy) {
  switch (which) {
    case Agreement::kCurve25519:
      return respond_with(X25519Key::generate(entropy), theirs);
    case Agreement::kNistP256:
    case Agreement::kNistP384:
    case Agreement::kNistP521:
      return respond_with(EcdhKey::generate(which, entropy), theirs);
    case Agreement::kDhGroup1:
    case Agreement::kDhGroup14:
    case Agreement::kDhGroup16:
    case Agreement::kDhGroup18:
      return respond(dh_group(which), theirs, entropy);
    case Agreement::kSntrup761Curve25519:
      return respond_hybrid(theirs, entropy);
  }
  return base::fail(Errc::kUnsupported, "key agreement");
}

Result<std::unique_ptr<Initiator>> Initiator::start(const DhGroup& group, base::Entropy& entropy) {
  return start_with(DhKey::generate(group, entropy));
}

Result<std::unique_ptr<Initiator>> Initiator::start(Agreement which, base::Entropy& entropy) {
  switch (which) {
    case Agreement::kCurve25519:
      return start_with(X25519Key::generate(entropy));
    case Agreement::kNistP256:
    case Agreement::kNistP384:
    case Agreement::kNistP521:
      return start_with(EcdhKey::generate(which, entropy));
    case Agreement::kDhGroup1:
    case Agreement::kDhGroup14:
    case Agreement::kDhGroup16:
    case Agreement::kDhGroup18:
      return start(dh_group(which), entropy);
    case Agreement::kSntrup761Curve25519:
      return start_with(HybridKey::generate(entropy));
  }
  return base::fail(Errc::kUnsupported, "key agreement");
}

}  // namespace sandtrap::crypto
