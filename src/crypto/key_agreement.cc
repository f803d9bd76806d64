#include "crypto/key_agreement.h"

#include "crypto/diffie_hellman.h"
#include "crypto/elliptic.h"

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
    case Agreement::kDhGroup14:
    case Agreement::kDhGroup16:
    case Agreement::kDhGroup18:
      return respond(dh_group(which), theirs, entropy);
    case Agreement::kSntrup761Curve25519:
      break;
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
    case Agreement::kDhGroup14:
    case Agreement::kDhGroup16:
    case Agreement::kDhGroup18:
      return start(dh_group(which), entropy);
    case Agreement::kSntrup761Curve25519:
      break;
  }
  return base::fail(Errc::kUnsupported, "key agreement");
}

}  // namespace sandtrap::crypto
