#include "crypto/diffie_hellman.h"

namespace sandtrap::crypto {
namespace {

using base::Errc;
using base::fail;
using base::Result;

// Twice the strength of the strongest hash (RFC 4419 §6.2); all our groups are safe primes.
constexpr std::size_t kExponentBytes = 64;
constexpr std::size_t kMaxPrimeBytes = 8192 / 8;
// OpenSSH refuses public values with fewer bits set than this.
constexpr int kMinBitsSet = 4;

BnPtr to_number(ByteView bytes) {
  return BnPtr(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
}

Bytes to_octets(const BIGNUM* n) {
  Bytes out(static_cast<std::size_t>(BN_num_bytes(n)));
  BN_bn2bin(n, out.data());
  return out;
}

bool acceptable(const BIGNUM* value, const BIGNUM* prime) {
  const BnPtr top(BN_dup(prime));
  if (!top || BN_sub_word(top.get(), 1) != 1) return false;
  if (BN_is_zero(value) || BN_is_one(value) || BN_cmp(value, top.get()) >= 0) return false;
  int set = 0;
  for (int i = 0; i < BN_num_bits(value); ++i) set += BN_is_bit_set(value, i);
  return set >= kMinBitsSet;
}

}  // namespace

DhGroup dh_group(Agreement which) {
  BIGNUM* (*get)(BIGNUM*) = which == Agreement::kDhGroup18   ? BN_get_rfc3526_prime_8192
                            : which == Agreement::kDhGroup1  ? BN_get_rfc2409_prime_1024
                            : which == Agreement::kDhGroup16 ? BN_get_rfc3526_prime_4096
                                                             : BN_get_rfc3526_prime_2048;
  const BnPtr prime(get(nullptr));
  SANDTRAP_CHECK(prime != nullptr);
  return DhGroup{to_octets(prime.get()), Bytes{2}};
}

Result<DhKey> DhKey::generate(const DhGroup& group, base::Entropy& entropy) {
  if (group.prime.size() > kMaxPrimeBytes) return fail(Errc::kLimit, "dh: prime too large");
  DhKey key;
  key.prime_ = to_number(group.prime);
  const BnPtr generator = to_number(group.generator), value(BN_new());
  const BnCtxPtr ctx(BN_CTX_new());
  Secret raw(kExponentBytes);
  entropy.fill(raw.writable());
  raw.writable()[0] |= 0x80;  // full length, so its bit count tells nothing
  key.exponent_ = to_number(raw.view());
  if (!key.prime_ || !generator || !value || !ctx || !key.exponent_) {
    return fail(Errc::kUnsupported, "dh: key generation");
  }
  BN_set_flags(key.exponent_.get(), BN_FLG_CONSTTIME);
  if (BN_mod_exp_mont_consttime(value.get(), generator.get(), key.exponent_.get(), key.prime_.get(),
                                ctx.get(), nullptr) != 1) {
    return fail(Errc::kUnsupported, "dh: key generation");
  }
  key.public_ = to_octets(value.get());
  return key;
}

Result<Secret> DhKey::shared(ByteView theirs) const {
  if (theirs.size() > kMaxPrimeBytes) return fail(Errc::kInvalid, "dh: value too large");
  const BnPtr value = to_number(theirs), secret(BN_new());
  const BnCtxPtr ctx(BN_CTX_new());
  if (!value || !secret || !ctx || !acceptable(value.get(), prime_.get())) {
    return fail(Errc::kInvalid, "dh: unacceptable public value");
  }
  if (BN_mod_exp_mont_consttime(secret.get(), value.get(), exponent_.get(), prime_.get(), ctx.get(),
                                nullptr) != 1) {
    return fail(Errc::kInvalid, "dh: exponentiation");
  }
  return Secret(to_octets(secret.get()));
}

}  // namespace sandtrap::crypto
