#include "crypto/host_key.h"

#include <nettle/eddsa.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>

#include <array>

#include "crypto/key_types.h"
#include "crypto/openssh_key_file.h"
#include "crypto/openssl.h"
#include "crypto/wire.h"

namespace sandtrap::crypto {
namespace {

using base::Errc;
using base::fail;
using base::Result;

constexpr std::size_t kEd25519Size = 32;
constexpr std::string_view kOpensshMarker = "-----BEGIN OPENSSH PRIVATE KEY-----";

BnPtr number_of(const EVP_PKEY* key, const char* parameter) {
  BIGNUM* n = nullptr;
  if (EVP_PKEY_get_bn_param(key, parameter, &n) != 1) return nullptr;
  return BnPtr(n);
}

Bytes octets(const BIGNUM* n) {
  Bytes out(static_cast<std::size_t>(BN_num_bytes(n)));
  BN_bn2bin(n, out.data());
  return out;
}

Bytes ec_point(const EVP_PKEY* key) {
  std::array<std::uint8_t, 160> point;
  std::size_t n = 0;
  if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size(),
                                      &n) != 1) {
    return {};
  }
  return Bytes(point.begin(), point.begin() + static_cast<std::ptrdiff_t>(n));
}

const SignatureAlgorithm* kind_of(const EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "ED25519") == 1) return find_key_type("ssh-ed25519");
  if (EVP_PKEY_is_a(key, "RSA") == 1) {
    return EVP_PKEY_get_bits(key) >= 1024 ? find_key_type("ssh-rsa") : nullptr;
  }
  if (EVP_PKEY_is_a(key, "EC") != 1) return nullptr;
  switch (EVP_PKEY_get_bits(key)) {
    case 256:
      return find_key_type("ecdsa-sha2-nistp256");
    case 384:
      return find_key_type("ecdsa-sha2-nistp384");
    case 521:
      return find_key_type("ecdsa-sha2-nistp521");
    default:
      return nullptr;
  }
}

Bytes blob_of(const EVP_PKEY* key, const SignatureAlgorithm& kind) {
  Writer w;
  w.string(kind.key_type);
  switch (kind.family) {
    case KeyFamily::kRsa: {
      const BnPtr e = number_of(key, OSSL_PKEY_PARAM_RSA_E);
      const BnPtr n = number_of(key, OSSL_PKEY_PARAM_RSA_N);
      if (!e || !n) return {};
      w.mpint(octets(e.get())).mpint(octets(n.get()));
      break;
    }
    case KeyFamily::kEcdsa:
      w.string(kind.curve).string(ec_point(key));
      break;
    case KeyFamily::kEd25519: {
      std::array<std::uint8_t, kEd25519Size> raw;
      std::size_t n = raw.size();
      if (EVP_PKEY_get_raw_public_key(key, raw.data(), &n) != 1) return {};
      w.string(raw);
      break;
    }
  }
  return w.take();
}

// DER of (r, s) to RFC 5656 §3.1.2.
Bytes ecdsa_wire(ByteView der) {
  const std::uint8_t* p = der.data();
  const EcdsaSigPtr sig(d2i_ECDSA_SIG(nullptr, &p, static_cast<long>(der.size())));
  if (!sig) return {};
  Writer w;
  w.mpint(octets(ECDSA_SIG_get0_r(sig.get()))).mpint(octets(ECDSA_SIG_get0_s(sig.get())));
  return w.take();
}

// The seed of RFC 8032 and its public half, kept for signing.
struct Ed25519Key {
  Secret seed{kEd25519Size};
  std::array<std::uint8_t, kEd25519Size> public_half{};

  bool load(const EVP_PKEY* key) {
    std::size_t n = kEd25519Size, m = kEd25519Size;
    return EVP_PKEY_get_raw_private_key(key, seed.writable().data(), &n) == 1 &&
           EVP_PKEY_get_raw_public_key(key, public_half.data(), &m) == 1;
  }
  // nettle's is constant-time too and takes three quarters of OpenSSL's time.
  Bytes sign(ByteView data) const {
    Bytes signature(ED25519_SIGNATURE_SIZE);
    ::ed25519_sha512_sign(public_half.data(), seed.view().data(), data.size(), data.data(),
                          signature.data());
    return signature;
  }
};

}  // namespace

struct PrivateHostKey::Impl {
  PkeyPtr key;
  Ed25519Key ed25519;  // when it is of that kind
  const SignatureAlgorithm* kind = nullptr;
  std::string type;
  Bytes blob;

  static Result<std::unique_ptr<Impl>> around(PkeyPtr key) {
    auto impl = std::make_unique<Impl>();
    impl->kind = key ? kind_of(key.get()) : nullptr;
    if (impl->kind == nullptr) return fail(Errc::kUnsupported, "host key: unusable key type");
    impl->key = std::move(key);
    impl->type = impl->kind->key_type;
    if (impl->kind->family == KeyFamily::kEd25519 && !impl->ed25519.load(impl->key.get())) {
      return fail(Errc::kInvalid, "host key: no private half");
    }
    impl->blob = blob_of(impl->key.get(), *impl->kind);
    if (impl->blob.empty()) return fail(Errc::kInvalid, "host key: no public half");
    return impl;
  }
};

PrivateHostKey::PrivateHostKey(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PrivateHostKey::PrivateHostKey(PrivateHostKey&&) noexcept = default;
PrivateHostKey& PrivateHostKey::operator=(PrivateHostKey&&) noexcept = default;
PrivateHostKey::~PrivateHostKey() = default;

const std::string& PrivateHostKey::type() const {
  return impl_->type;
}

const Bytes& PrivateHostKey::public_blob() const {
  return impl_->blob;
}

unsigned PrivateHostKey::bits() const {
  return impl_->kind->bits != 0 ? impl_->kind->bits
                                : static_cast<unsigned>(EVP_PKEY_get_bits(impl_->key.get()));
}

std::string PrivateHostKey::public_line(std::string_view comment) const {
  std::string line = impl_->type + " " + base::to_base64(impl_->blob, true);
  if (!comment.empty()) line.append(" ").append(comment);
  return line;
}

Result<PrivateHostKey> PrivateHostKey::generate(HostKeyKind kind) {
  EVP_PKEY* raw = nullptr;
  switch (kind) {
    case HostKeyKind::kRsa3072:
      raw = EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{3072});
      break;
    case HostKeyKind::kEcdsaP256:
      raw = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
      break;
    case HostKeyKind::kEd25519:
      raw = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
      break;
  }
  auto impl = Impl::around(PkeyPtr(raw));
  if (!impl) return tl::unexpected(impl.error());
  return PrivateHostKey(std::move(*impl));
}

Result<PrivateHostKey> PrivateHostKey::parse(std::string_view text) {
  PkeyPtr key;
  if (text.find(kOpensshMarker) != std::string_view::npos) {
    auto parsed = parse_openssh_private_key(text);
    if (!parsed) return tl::unexpected(parsed.error());
    key = std::move(*parsed);
  } else {
    const BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    // No callback and an empty passphrase: an encrypted key is an error, not a question.
    char no_passphrase[] = "";
    if (bio) key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, no_passphrase));
    if (!key) return fail(Errc::kInvalid, "host key: not an unencrypted private key");
  }
  auto impl = Impl::around(std::move(key));
  if (!impl) return tl::unexpected(impl.error());
  return PrivateHostKey(std::move(*impl));
}

Result<Secret> PrivateHostKey::openssh_text(std::string_view comment) const {
  return write_openssh_private_key(impl_->key.get(), *impl_->kind, impl_->blob, comment);
}

Result<Secret> PrivateHostKey::pkcs8_text() const {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), impl_->key.get(), nullptr, nullptr, 0,
                                            nullptr, nullptr) != 1) {
    return fail(Errc::kUnsupported, "host key: cannot write PKCS#8");
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return Secret(base::as_bytes({data, static_cast<std::size_t>(size)}));
}

Result<Bytes> PrivateHostKey::sign(std::string_view algorithm, ByteView data) const {
  const SignatureAlgorithm* a = find_signature_algorithm(algorithm);
  if (a == nullptr || a->key_type != impl_->type || a->hardware) {
    return fail(Errc::kInvalid, "host key: algorithm does not fit the key");
  }
  if (a->family == KeyFamily::kEd25519) {
    return Writer().string(a->name).string(impl_->ed25519.sign(data)).take();
  }
  const MdCtxPtr ctx(EVP_MD_CTX_new());
  const EVP_MD* digest = evp_digest(a->hash);
  Bytes raw(static_cast<std::size_t>(EVP_PKEY_get_size(impl_->key.get())));
  std::size_t n = raw.size();
  if (!ctx || EVP_DigestSignInit(ctx.get(), nullptr, digest, nullptr, impl_->key.get()) != 1 ||
      EVP_DigestSign(ctx.get(), raw.data(), &n, data.data(), data.size()) != 1) {
    return fail(Errc::kUnsupported, "host key: signing failed");
  }
  raw.resize(n);
  if (a->family == KeyFamily::kEcdsa) raw = ecdsa_wire(raw);
  return Writer().string(a->name).string(raw).take();
}

}  // namespace sandtrap::crypto
