#include "crypto/public_key.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "crypto/hash.h"
#include "crypto/key_types.h"
#include "crypto/openssl.h"
#include "crypto/wire.h"

namespace sandtrap::crypto {
namespace {

using base::Bytes;
using base::ByteView;
using base::Errc;
using base::fail;
using base::Result;

constexpr std::size_t kMaxKeyString = 16384;
constexpr unsigned kMinRsaBits = 1024, kMaxRsaBits = 16384;  // sshkey.h's SSH_RSA_MINIMUM_…

using ParamBldPtr = std::unique_ptr<OSSL_PARAM_BLD, Freer<OSSL_PARAM_BLD_free>>;
using ParamPtr = std::unique_ptr<OSSL_PARAM, Freer<OSSL_PARAM_free>>;

PkeyPtr from_parameters(const char* name, OSSL_PARAM* parameters) {
  const PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_name(nullptr, name, nullptr));
  EVP_PKEY* key = nullptr;
  if (!ctx || EVP_PKEY_fromdata_init(ctx.get()) != 1 ||
      EVP_PKEY_fromdata(ctx.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
    return nullptr;
  }
  return PkeyPtr(key);
}

BnPtr to_number(ByteView magnitude) {
  return BnPtr(BN_bin2bn(magnitude.data(), static_cast<int>(magnitude.size()), nullptr));
}

PkeyPtr rsa_key(ByteView exponent, ByteView modulus) {
  const BnPtr e = to_number(exponent), n = to_number(modulus);
  const ParamBldPtr build(OSSL_PARAM_BLD_new());
  if (!e || !n || !build ||
      OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return nullptr;
  }
  const ParamPtr parameters(OSSL_PARAM_BLD_to_param(build.get()));
  return parameters ? from_parameters("RSA", parameters.get()) : nullptr;
}

PkeyPtr ec_key(const char* group, ByteView point) {
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char*>(group), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                        const_cast<std::uint8_t*>(point.data()), point.size()),
      OSSL_PARAM_construct_end()};
  return from_parameters("EC", parameters);
}

// RFC 5656 §3.1.2: r and s as mpints; OpenSSL wants them in DER.
Bytes ecdsa_der(ByteView signature) {
  Reader r(signature);
  const ByteView r_part = r.mpint(66), s_part = r.mpint(66);
  if (!r.done()) return {};
  BnPtr rn = to_number(r_part), sn = to_number(s_part);
  const EcdsaSigPtr sig(ECDSA_SIG_new());
  if (!rn || !sn || !sig) return {};
  ECDSA_SIG_set0(sig.get(), rn.release(), sn.release());
  const int size = i2d_ECDSA_SIG(sig.get(), nullptr);
  if (size <= 0) return {};
  Bytes out(static_cast<std::size_t>(size));
  std::uint8_t* p = out.data();
  i2d_ECDSA_SIG(sig.get(), &p);
  return out;
}

// PROTOCOL.u2f "WebAuthn signatures": the JSON that the browser signed begins with our data as its
// challenge, and the flags tell of extensions exactly when there are some; never of attestation.
bool fits_webauthn(ByteView data, std::string_view origin, std::string_view client_data,
                   std::uint8_t flags, bool has_extensions) {
  constexpr std::uint8_t kAttested = 0x40, kExtended = 0x80;
  std::string challenge = base::to_base64(data, false);
  for (char& c : challenge) c = c == '+' ? '-' : c == '/' ? '_' : c;
  const std::string start = R"({"type":"webauthn.get","challenge":")" + challenge +
                            R"(","origin":")" + std::string(origin) + "\"";
  return origin.find('"') == std::string_view::npos && client_data.starts_with(start) &&
         (flags & kAttested) == 0 && ((flags & kExtended) != 0) == has_extensions;
}

}  // namespace

std::string fingerprint(ByteView blob) {
  return "SHA256:" + base::to_base64(hash(HashName::kSha256, blob).view(), false);
}

std::string_view key_type_of(std::string_view algorithm) {
  const SignatureAlgorithm* a = find_signature_algorithm(algorithm);
  return a == nullptr ? std::string_view() : a->key_type;
}

struct PublicKey::Impl {
  std::string type;
  const SignatureAlgorithm* kind = nullptr;
  PkeyPtr key;
  std::string application;  // of FIDO keys
  unsigned bits = 0;
};

PublicKey::PublicKey(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PublicKey::PublicKey(PublicKey&&) noexcept = default;
PublicKey& PublicKey::operator=(PublicKey&&) noexcept = default;
PublicKey::~PublicKey() = default;

const std::string& PublicKey::type() const {
  return impl_->type;
}

unsigned PublicKey::bits() const {
  return impl_->bits;
}

Result<PublicKey> PublicKey::parse(ByteView blob) {
  if (blob.size() > kMaxKeyBlob) return fail(Errc::kLimit, "key blob too long");
  Reader r(blob);
  auto impl = std::make_unique<Impl>();
  impl->type = r.text();
  impl->kind = find_key_type(impl->type);
  if (impl->kind == nullptr) return fail(Errc::kUnsupported, "unknown key type");
  impl->bits = impl->kind->bits;
  switch (impl->kind->family) {
    case KeyFamily::kRsa: {
      const ByteView e = r.mpint(), n = r.mpint();
      if (r.ok() && !n.empty()) impl->key = rsa_key(e, n);
      if (impl->key) impl->bits = static_cast<unsigned>(EVP_PKEY_get_bits(impl->key.get()));
      if (impl->bits < kMinRsaBits || impl->bits > kMaxRsaBits) impl->key.reset();
      break;
    }
    case KeyFamily::kEcdsa: {
      const std::string_view curve = r.text(16);
      const ByteView point = r.string(256);
      // Uncompressed only, as OpenSSH; fromdata refuses points off the curve and infinity.
      if (r.ok() && curve == impl->kind->curve && point.size() > 1 && point[0] == 4) {
        impl->key = ec_key(impl->kind->group, point);
      }
      break;
    }
    case KeyFamily::kEd25519: {
      const ByteView raw = r.string(32);
      if (r.ok() && raw.size() == 32) {
        impl->key.reset(
            EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, raw.data(), raw.size()));
      }
      break;
    }
  }
  if (impl->kind->hardware) impl->application = r.text(kMaxKeyString);
  if (!impl->key || !r.done()) return fail(Errc::kInvalid, "malformed key blob");
  return PublicKey(std::move(impl));
}

bool PublicKey::verify(std::string_view algorithm, ByteView data, ByteView signature) const {
  const SignatureAlgorithm* a = find_signature_algorithm(algorithm);
  if (a == nullptr || a->key_type != impl_->type) return false;
  Reader r(signature);
  const std::string_view name = r.text();
  const ByteView raw = r.string(kMaxKeyString);
  if (name != algorithm) return false;

  // PROTOCOL.u2f: what a FIDO key signs is its own frame around the hash of the data.
  Bytes framed;
  if (a->hardware) {
    const std::uint8_t flags = r.byte();
    const std::uint32_t counter = r.u32();
    ByteView extensions;
    if (a->webauthn) {
      const std::string_view origin = r.text(kMaxKeyString);
      const std::string_view client_data = r.text(kMaxKeyString);
      extensions = r.string(kMaxKeyString);
      if (!r.ok() || !fits_webauthn(data, origin, client_data, flags, !extensions.empty())) {
        return false;
      }
      data = base::as_bytes(client_data);
    }
    const Digest application = hash(HashName::kSha256, base::as_bytes(impl_->application));
    const Digest message = hash(HashName::kSha256, data);
    Writer w;
    w.raw(application.view()).byte(flags).u32(counter).raw(extensions).raw(message.view());
    framed = w.take();
    data = framed;
  }
  if (!r.done()) return false;

  Bytes der;
  ByteView encoded = raw;
  if (a->family == KeyFamily::kEcdsa) {
    der = ecdsa_der(raw);
    encoded = der;
  }
  if (encoded.empty()) return false;
  const MdCtxPtr ctx(EVP_MD_CTX_new());
  const EVP_MD* digest = a->family == KeyFamily::kEd25519 ? nullptr : evp_digest(a->hash);
  // RSA is PKCS#1 v1.5, OpenSSL's default. A short signature counts as if left-padded (OpenSSH).
  if (a->family == KeyFamily::kRsa) {
    const auto modulus = static_cast<std::size_t>(EVP_PKEY_get_size(impl_->key.get()));
    if (encoded.size() > modulus) return false;
    der.assign(modulus - encoded.size(), 0);
    base::append(der, encoded);
    encoded = der;
  }
  return ctx && EVP_DigestVerifyInit(ctx.get(), nullptr, digest, nullptr, impl_->key.get()) == 1 &&
         EVP_DigestVerify(ctx.get(), encoded.data(), encoded.size(), data.data(), data.size()) == 1;
}

}  // namespace sandtrap::crypto
