#include "crypto/openssh_key_file.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>

#include <array>

#include "crypto/wire.h"

namespace sandtrap::crypto {
namespace {

using base::Errc;
using base::fail;
using base::Result;

using ParamBldPtr = std::unique_ptr<OSSL_PARAM_BLD, Freer<OSSL_PARAM_BLD_free>>;
using ParamPtr = std::unique_ptr<OSSL_PARAM, Freer<OSSL_PARAM_free>>;

constexpr std::string_view kBegin = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
constexpr std::string_view kEnd = "-----END OPENSSH PRIVATE KEY-----\n";
constexpr std::string_view kMagic{"openssh-key-v1\0", 15};
constexpr std::size_t kBlock = 8;  // padding unit of cipher "none"
constexpr std::size_t kLineLength = 70;
constexpr std::size_t kEd25519Size = 32;
constexpr std::size_t kMaxText = 64 * 1024;

int digit_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// The base64 body between the two marker lines.
Result<Secret> armoured_body(std::string_view text) {
  const auto fault = [] { return fail(Errc::kInvalid, "OpenSSH private key: bad armour"); };
  if (text.size() > kMaxText) return fault();
  const std::size_t begin = text.find(kBegin);
  if (begin == std::string_view::npos) return fault();
  text.remove_prefix(begin + kBegin.size());
  const std::size_t end = text.find("-----END");
  if (end == std::string_view::npos) return fault();
  Bytes out;
  out.reserve(end);
  std::uint32_t group = 0;
  int bits = 0;
  for (const char c : text.substr(0, end)) {
    if (c == '\n' || c == '\r' || c == '=') continue;
    const int digit = digit_of(c);
    if (digit < 0) return fault();
    group = group << 6 | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out.push_back(static_cast<std::uint8_t>(group >> bits));
  }
  return Secret(std::move(out));
}

BnPtr secret_number(const EVP_PKEY* key, const char* parameter) {
  BIGNUM* n = nullptr;
  if (EVP_PKEY_get_bn_param(key, parameter, &n) != 1) return nullptr;
  return BnPtr(n);
}

bool put_number(Writer& w, const EVP_PKEY* key, const char* parameter) {
  const BnPtr n = secret_number(key, parameter);
  if (!n) return false;
  Secret raw(static_cast<std::size_t>(BN_num_bytes(n.get())));
  BN_bn2bin(n.get(), raw.writable().data());
  w.mpint(raw.view());
  return true;
}

// The private fields of each family in the order of OpenSSH's sshkey_private_serialize.
bool put_private(Writer& w, const EVP_PKEY* key, const SignatureAlgorithm& kind,
                 ByteView public_blob) {
  Reader blob(public_blob);
  w.string(blob.string());
  switch (kind.family) {
    case KeyFamily::kRsa:
      for (const char* name : {OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E, OSSL_PKEY_PARAM_RSA_D,
                               OSSL_PKEY_PARAM_RSA_COEFFICIENT1, OSSL_PKEY_PARAM_RSA_FACTOR1,
                               OSSL_PKEY_PARAM_RSA_FACTOR2}) {
        if (!put_number(w, key, name)) return false;
      }
      return true;
    case KeyFamily::kEcdsa:
      w.string(blob.string()).string(blob.string());
      return put_number(w, key, OSSL_PKEY_PARAM_PRIV_KEY);
    case KeyFamily::kEd25519: {
      const ByteView public_half = blob.string();
      Secret both(2 * kEd25519Size);
      std::size_t n = kEd25519Size;
      if (EVP_PKEY_get_raw_private_key(key, both.writable().data(), &n) != 1) return false;
      std::copy(public_half.begin(), public_half.end(), both.writable().begin() + kEd25519Size);
      w.string(public_half).string(both.view());
      return true;
    }
  }
  return false;
}

BnPtr to_number(ByteView magnitude) {
  return BnPtr(BN_bin2bn(magnitude.data(), static_cast<int>(magnitude.size()), nullptr));
}

Result<PkeyPtr> build(const char* name, OSSL_PARAM_BLD* parameters) {
  const ParamPtr list(OSSL_PARAM_BLD_to_param(parameters));
  const PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_name(nullptr, name, nullptr));
  EVP_PKEY* key = nullptr;
  if (!list || !ctx || EVP_PKEY_fromdata_init(ctx.get()) != 1 ||
      EVP_PKEY_fromdata(ctx.get(), &key, EVP_PKEY_KEYPAIR, list.get()) != 1) {
    return fail(Errc::kInvalid, "OpenSSH private key: inconsistent numbers");
  }
  PkeyPtr owned(key);
  const PkeyCtxPtr check(EVP_PKEY_CTX_new_from_pkey(nullptr, owned.get(), nullptr));
  if (!check || EVP_PKEY_pairwise_check(check.get()) != 1) {
    return fail(Errc::kInvalid, "OpenSSH private key: the halves do not belong together");
  }
  return owned;
}

Result<PkeyPtr> read_rsa(Reader& r) {
  // n, e, d, then the coefficient and the factors, from which OpenSSL wants two exponents more.
  std::array<BnPtr, 6> v;
  for (BnPtr& n : v) n = to_number(r.mpint());
  const BnCtxPtr ctx(BN_CTX_new());
  const BnPtr exponent1(BN_new()), exponent2(BN_new()), less(BN_new());
  const auto reduce = [&](BIGNUM* out, const BIGNUM* factor) {
    return !BN_is_zero(factor) && BN_copy(less.get(), factor) != nullptr &&
           BN_sub_word(less.get(), 1) == 1 && !BN_is_zero(less.get()) &&
           BN_mod(out, v[2].get(), less.get(), ctx.get()) == 1;
  };
  if (!r.ok() || !reduce(exponent1.get(), v[4].get()) || !reduce(exponent2.get(), v[5].get())) {
    return fail(Errc::kInvalid, "OpenSSH private key: RSA numbers");
  }
  const std::pair<const char*, const BIGNUM*> fields[] = {
      {OSSL_PKEY_PARAM_RSA_N, v[0].get()},
      {OSSL_PKEY_PARAM_RSA_E, v[1].get()},
      {OSSL_PKEY_PARAM_RSA_D, v[2].get()},
      {OSSL_PKEY_PARAM_RSA_FACTOR1, v[4].get()},
      {OSSL_PKEY_PARAM_RSA_FACTOR2, v[5].get()},
      {OSSL_PKEY_PARAM_RSA_EXPONENT1, exponent1.get()},
      {OSSL_PKEY_PARAM_RSA_EXPONENT2, exponent2.get()},
      {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, v[3].get()}};
  const ParamBldPtr parameters(OSSL_PARAM_BLD_new());
  for (const auto& [name, value] : fields) OSSL_PARAM_BLD_push_BN(parameters.get(), name, value);
  return build("RSA", parameters.get());
}

Result<PkeyPtr> read_ecdsa(Reader& r, const SignatureAlgorithm& kind) {
  const std::string_view curve = r.text(16);
  const ByteView point = r.string(256);
  const BnPtr scalar = to_number(r.mpint());
  if (!r.ok() || curve != kind.curve || point.empty()) {
    return fail(Errc::kInvalid, "OpenSSH private key: ECDSA numbers");
  }
  const ParamBldPtr parameters(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(parameters.get(), OSSL_PKEY_PARAM_GROUP_NAME, kind.group, 0);
  OSSL_PARAM_BLD_push_octet_string(parameters.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                   point.size());
  OSSL_PARAM_BLD_push_BN(parameters.get(), OSSL_PKEY_PARAM_PRIV_KEY, scalar.get());
  return build("EC", parameters.get());
}

Result<PkeyPtr> read_ed25519(Reader& r) {
  const ByteView public_half = r.string(kEd25519Size), both = r.string(2 * kEd25519Size);
  if (!r.ok() || public_half.size() != kEd25519Size || both.size() != 2 * kEd25519Size) {
    return fail(Errc::kInvalid, "OpenSSH private key: Ed25519 numbers");
  }
  PkeyPtr key(
      EVP_PKEY_new_raw_private_key_ex(nullptr, "ED25519", nullptr, both.data(), kEd25519Size));
  std::array<std::uint8_t, kEd25519Size> computed{};
  std::size_t n = computed.size();
  if (!key || EVP_PKEY_get_raw_public_key(key.get(), computed.data(), &n) != 1 ||
      !std::equal(computed.begin(), computed.end(), public_half.begin())) {
    return fail(Errc::kInvalid, "OpenSSH private key: the halves do not belong together");
  }
  return key;
}

}  // namespace

Result<PkeyPtr> parse_openssh_private_key(std::string_view text) {
  const Result<Secret> body = armoured_body(text);
  if (!body) return tl::unexpected(body.error());
  Reader r(body->view());
  const std::string_view magic = base::as_text(r.raw(kMagic.size()));
  const std::string_view cipher = r.text(64), kdf = r.text(64);
  r.string();  // kdf options
  const std::uint32_t count = r.u32();
  r.string();  // public key
  const ByteView inner = r.string();
  if (!r.ok() || magic != kMagic || count != 1) {
    return fail(Errc::kInvalid, "OpenSSH private key: malformed");
  }
  if (cipher != "none" || kdf != "none") {
    return fail(Errc::kUnsupported, "OpenSSH private key: protected by a passphrase");
  }
  Reader fields(inner);
  const std::uint32_t check = fields.u32();
  const bool same = fields.u32() == check;
  const SignatureAlgorithm* kind = find_key_type(fields.text(64));
  if (!fields.ok() || !same || kind == nullptr || kind->hardware) {
    return fail(Errc::kUnsupported, "OpenSSH private key: key type");
  }
  switch (kind->family) {
    case KeyFamily::kRsa:
      return read_rsa(fields);
    case KeyFamily::kEcdsa:
      return read_ecdsa(fields, *kind);
    case KeyFamily::kEd25519:
      return read_ed25519(fields);
  }
  return fail(Errc::kUnsupported, "OpenSSH private key: key type");
}

Result<Secret> write_openssh_private_key(const EVP_PKEY* key, const SignatureAlgorithm& kind,
                                         ByteView public_blob, std::string_view comment) {
  std::array<std::uint8_t, 4> check;
  if (RAND_bytes(check.data(), static_cast<int>(check.size())) != 1) {
    return fail(Errc::kUnavailable, "no random bytes");
  }
  Writer inner;
  inner.raw(check).raw(check);
  if (!put_private(inner, key, kind, public_blob)) {
    return fail(Errc::kInvalid, "OpenSSH private key: no private half");
  }
  inner.string(comment);
  for (std::uint8_t i = 1; inner.size() % kBlock != 0; ++i) inner.byte(i);
  const Secret private_part(inner.take());

  Writer outer;
  outer.raw(base::as_bytes(kMagic)).string("none").string("none").string("").u32(1);
  outer.string(public_blob).string(private_part.view());
  const Secret whole(outer.take());
  const std::string body = base::to_base64(whole.view(), true);
  std::string text(kBegin);
  for (std::size_t i = 0; i < body.size(); i += kLineLength) {
    text.append(body, i, kLineLength).push_back('\n');
  }
  text += kEnd;
  return Secret(base::as_bytes(text));
}

}  // namespace sandtrap::crypto
