#include "crypto/elliptic.h"

#include <openssl/obj_mac.h>

namespace sandtrap::crypto {
namespace {

using base::Errc;
using base::fail;
using base::Result;

PkeyPtr x25519_public(ByteView bytes) {
  return PkeyPtr(
      EVP_PKEY_new_raw_public_key_ex(nullptr, "X25519", nullptr, bytes.data(), bytes.size()));
}

Result<Secret> x25519(EVP_PKEY* key, EVP_PKEY* peer) {
  const PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  Secret out(kX25519Size);
  std::size_t n = out.size();
  if (!ctx || peer == nullptr || EVP_PKEY_derive_init(ctx.get()) != 1 ||
      EVP_PKEY_derive_set_peer_ex(ctx.get(), peer, 0) != 1 ||
      EVP_PKEY_derive(ctx.get(), out.writable().data(), &n) != 1 || n != kX25519Size) {
    return fail(Errc::kInvalid, "x25519: degenerate value");
  }
  return out;
}

int curve_nid(Agreement curve) {
  switch (curve) {
    case Agreement::kNistP384:
      return NID_secp384r1;
    case Agreement::kNistP521:
      return NID_secp521r1;
    default:
      return NID_X9_62_prime256v1;
  }
}

// A scalar in [1, order): 64 surplus bits make the bias of the reduction negligible.
BnPtr random_scalar(const EC_GROUP* group, base::Entropy& entropy, BN_CTX* ctx) {
  const BIGNUM* order = EC_GROUP_get0_order(group);
  Secret raw(static_cast<std::size_t>(BN_num_bytes(order)) + 8);
  entropy.fill(raw.writable());
  BnPtr scalar(BN_secure_new());
  const BnPtr wide(BN_bin2bn(raw.view().data(), static_cast<int>(raw.size()), nullptr));
  const BnPtr top(BN_dup(order));
  if (!scalar || !wide || !top || BN_sub_word(top.get(), 1) != 1) return nullptr;
  BN_set_flags(wide.get(), BN_FLG_CONSTTIME);
  if (BN_mod(scalar.get(), wide.get(), top.get(), ctx) != 1 || BN_add_word(scalar.get(), 1) != 1) {
    return nullptr;
  }
  BN_set_flags(scalar.get(), BN_FLG_CONSTTIME);
  return scalar;
}

}  // namespace

// Multiplying the base point as if it were a peer's value: OpenSSL's x25519 ladder is faster than
// the generic code with which it computes a public key.
Result<X25519Key> X25519Key::from_private(ByteView scalar) {
  static const PkeyPtr base_point = [] {
    std::array<std::uint8_t, kX25519Size> nine{9};
    return x25519_public(nine);
  }();
  X25519Key key;
  key.key_.reset(
      EVP_PKEY_new_raw_private_key_ex(nullptr, "X25519", nullptr, scalar.data(), scalar.size()));
  if (!key.key_) return fail(Errc::kUnsupported, "x25519: private key");
  Result<Secret> value = x25519(key.key_.get(), base_point.get());
  if (!value) return tl::unexpected(value.error());
  key.public_.assign(value->view().begin(), value->view().end());
  return key;
}

Result<X25519Key> X25519Key::generate(base::Entropy& entropy) {
  Secret scalar(kX25519Size);
  entropy.fill(scalar.writable());
  return from_private(scalar.view());
}

Result<Secret> X25519Key::shared(ByteView theirs) const {
  if (theirs.size() != kX25519Size) return fail(Errc::kInvalid, "x25519: wrong length");
  const PkeyPtr peer = x25519_public(theirs);
  return x25519(key_.get(), peer.get());
}

Result<EcdhKey> EcdhKey::generate(Agreement curve, base::Entropy& entropy) {
  EcdhKey key;
  key.group_.reset(EC_GROUP_new_by_curve_name(curve_nid(curve)));
  const BnCtxPtr ctx(BN_CTX_new());
  if (!key.group_ || !ctx) return fail(Errc::kUnsupported, "ecdh: curve");
  key.scalar_ = random_scalar(key.group_.get(), entropy, ctx.get());
  const PointPtr point(EC_POINT_new(key.group_.get()));
  if (!key.scalar_ || !point ||
      EC_POINT_mul(key.group_.get(), point.get(), key.scalar_.get(), nullptr, nullptr, ctx.get()) !=
          1) {
    return fail(Errc::kUnsupported, "ecdh: key generation");
  }
  key.public_.resize(EC_POINT_point2oct(key.group_.get(), point.get(),
                                        POINT_CONVERSION_UNCOMPRESSED, nullptr, 0, ctx.get()));
  EC_POINT_point2oct(key.group_.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED,
                     key.public_.data(), key.public_.size(), ctx.get());
  return key;
}

Result<Secret> EcdhKey::shared(ByteView theirs) const {
  // Only the uncompressed form (RFC 5656 §4); oct2point refuses what is not on the curve.
  if (theirs.size() != public_.size() || theirs[0] != 4) {
    return fail(Errc::kInvalid, "ecdh: not an uncompressed point");
  }
  const BnCtxPtr ctx(BN_CTX_new());
  const PointPtr point(EC_POINT_new(group_.get())), product(EC_POINT_new(group_.get()));
  const BnPtr x(BN_new());
  if (!ctx || !point || !product || !x ||
      EC_POINT_oct2point(group_.get(), point.get(), theirs.data(), theirs.size(), ctx.get()) != 1 ||
      EC_POINT_mul(group_.get(), product.get(), nullptr, point.get(), scalar_.get(), ctx.get()) !=
          1 ||
      EC_POINT_is_at_infinity(group_.get(), product.get()) == 1 ||
      EC_POINT_get_affine_coordinates(group_.get(), product.get(), x.get(), nullptr, ctx.get()) !=
          1) {
    return fail(Errc::kInvalid, "ecdh: point not on the curve");
  }
  Secret out((public_.size() - 1) / 2);
  BN_bn2binpad(x.get(), out.writable().data(), static_cast<int>(out.size()));
  return out;
}

}  // namespace sandtrap::crypto
