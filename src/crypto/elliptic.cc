#include "crypto/elliptic.h"

#include <nettle/curve25519.h>
#include <openssl/core_names.h>
#include <openssl/obj_mac.h>

namespace sandtrap::crypto {
namespace {

using base::Errc;
using base::fail;
using base::Result;

// Finding the algorithm by its name costs as much as using it: once per process is enough.
EVP_PKEY_CTX* x25519_maker() {
  static const PkeyCtxPtr maker = [] {
    PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_name(nullptr, "X25519", nullptr));
    SANDTRAP_CHECK(ctx && EVP_PKEY_fromdata_init(ctx.get()) == 1);
    return ctx;
  }();
  return maker.get();
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

// The public half by nettle, which has a table for the base point; the private key then enters
// OpenSSL together with it, because a private key alone makes OpenSSL compute the public half with
// generic code, at more than the price of a whole exchange.
Result<X25519Key> X25519Key::from_private(ByteView scalar) {
  if (scalar.size() != kX25519Size) return fail(Errc::kInvalid, "x25519: wrong length");
  X25519Key key;
  key.public_.resize(kX25519Size);
  ::curve25519_mul_g(key.public_.data(), scalar.data());
  OSSL_PARAM parts[] = {
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY,
                                        const_cast<std::uint8_t*>(scalar.data()), scalar.size()),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, key.public_.data(),
                                        key.public_.size()),
      OSSL_PARAM_construct_end()};
  EVP_PKEY* made = nullptr;
  if (EVP_PKEY_fromdata(x25519_maker(), &made, EVP_PKEY_KEYPAIR, parts) != 1) {
    return fail(Errc::kUnsupported, "x25519: private key");
  }
  key.key_.reset(made);
  return key;
}

Result<X25519Key> X25519Key::generate(base::Entropy& entropy) {
  Secret scalar(kX25519Size);
  entropy.fill(scalar.writable());
  return from_private(scalar.view());
}

Result<Secret> X25519Key::shared(ByteView theirs) const {
  if (theirs.size() != kX25519Size) return fail(Errc::kInvalid, "x25519: wrong length");
  const PkeyPtr peer(
      EVP_PKEY_new_raw_public_key_ex(nullptr, "X25519", nullptr, theirs.data(), theirs.size()));
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
