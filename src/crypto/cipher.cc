#include "crypto/cipher.h"

#include "base/error.h"
#include "crypto/openssl.h"
#include "crypto/secret.h"

namespace sandtrap::crypto {
namespace {

// Fetching an algorithm takes OpenSSL a name lookup and a lock; once per process is enough.
struct Fetched {
  CipherPtr ctr128{EVP_CIPHER_fetch(nullptr, "AES-128-CTR", nullptr)};
  CipherPtr ctr192{EVP_CIPHER_fetch(nullptr, "AES-192-CTR", nullptr)};
  CipherPtr ctr256{EVP_CIPHER_fetch(nullptr, "AES-256-CTR", nullptr)};
  CipherPtr cbc128{EVP_CIPHER_fetch(nullptr, "AES-128-CBC", nullptr)};
  CipherPtr cbc192{EVP_CIPHER_fetch(nullptr, "AES-192-CBC", nullptr)};
  CipherPtr cbc256{EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr)};
  CipherPtr cbc3des{EVP_CIPHER_fetch(nullptr, "DES-EDE3-CBC", nullptr)};
  CipherPtr gcm128{EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr)};
  CipherPtr gcm256{EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr)};
  CipherPtr chacha{EVP_CIPHER_fetch(nullptr, "ChaCha20", nullptr)};
  MacPtr poly1305{EVP_MAC_fetch(nullptr, "POLY1305", nullptr)};
};

const Fetched& fetched() {
  static const Fetched algorithms;
  return algorithms;
}

CipherCtx new_ctx(const EVP_CIPHER* cipher, base::ByteView key, const std::uint8_t* iv, bool seal) {
  CipherCtx ctx(EVP_CIPHER_CTX_new());
  SANDTRAP_CHECK(ctx && cipher != nullptr);
  SANDTRAP_CHECK(static_cast<std::size_t>(EVP_CIPHER_get_key_length(cipher)) == key.size());
  SANDTRAP_CHECK(EVP_CipherInit_ex2(ctx.get(), cipher, key.data(), iv, seal ? 1 : 0, nullptr) == 1);
  return ctx;
}

bool crypt(evp_cipher_ctx_st* ctx, std::uint8_t* out, const std::uint8_t* in, std::size_t n) {
  int written = 0;
  return EVP_CipherUpdate(ctx, out, &written, in, static_cast<int>(n)) == 1;
}

// The 16 bytes that OpenSSL's ChaCha20 takes as counter and nonce, for the original cipher's layout
// of a 64-bit counter (0) and a 64-bit nonce (the sequence number).
std::array<std::uint8_t, 16> chacha_iv(std::uint32_t sequence) {
  std::array<std::uint8_t, 16> iv{};
  for (std::size_t i = 0; i < 4; ++i) {
    iv[15 - i] = static_cast<std::uint8_t>(sequence >> (8 * i));
  }
  return iv;
}

}  // namespace

void CipherCtxFree::operator()(evp_cipher_ctx_st* ctx) const {
  EVP_CIPHER_CTX_free(ctx);
}

AesCtr::AesCtr(base::ByteView key, base::ByteView iv) {
  SANDTRAP_CHECK(iv.size() == 16);
  const Fetched& f = fetched();
  const CipherPtr& cipher = key.size() == 16 ? f.ctr128 : key.size() == 24 ? f.ctr192 : f.ctr256;
  ctx_ = new_ctx(cipher.get(), key, iv.data(), true);
}

void AesCtr::apply(base::MutableByteView data) {
  SANDTRAP_CHECK(crypt(ctx_.get(), data.data(), data.data(), data.size()));
}

BlockChain::BlockChain(base::ByteView key, base::ByteView iv, bool seal) {
  const Fetched& f = fetched();
  const CipherPtr& cipher = iv.size() == 8     ? f.cbc3des
                            : key.size() == 16 ? f.cbc128
                            : key.size() == 24 ? f.cbc192
                                               : f.cbc256;
  ctx_ = new_ctx(cipher.get(), key, iv.data(), seal);
  EVP_CIPHER_CTX_set_padding(ctx_.get(), 0);  // the packet brings its own
}

void BlockChain::apply(base::MutableByteView data) {
  SANDTRAP_CHECK(crypt(ctx_.get(), data.data(), data.data(), data.size()));
}

AesGcm::AesGcm(base::ByteView key, base::ByteView iv, bool seal) {
  SANDTRAP_CHECK(iv.size() == iv_.size());
  std::copy(iv.begin(), iv.end(), iv_.begin());
  const Fetched& f = fetched();
  ctx_ = new_ctx((key.size() == 16 ? f.gcm128 : f.gcm256).get(), key, nullptr, seal);
}

bool AesGcm::start(base::ByteView aad) {
  if (EVP_CipherInit_ex2(ctx_.get(), nullptr, nullptr, iv_.data(), -1, nullptr) != 1) return false;
  for (std::size_t i = iv_.size(); i-- > 4;) {  // the invocation counter, big-endian
    if (++iv_[i] != 0) break;
  }
  return crypt(ctx_.get(), nullptr, aad.data(), aad.size());
}

void AesGcm::seal(base::ByteView aad, base::MutableByteView data, std::uint8_t* tag) {
  int n = 0;
  SANDTRAP_CHECK(start(aad) && crypt(ctx_.get(), data.data(), data.data(), data.size()) &&
                 EVP_CipherFinal_ex(ctx_.get(), tag, &n) == 1 &&
                 EVP_CIPHER_CTX_ctrl(ctx_.get(), EVP_CTRL_AEAD_GET_TAG, kTag, tag) == 1);
}

bool AesGcm::open(base::ByteView aad, base::MutableByteView data, const std::uint8_t* tag) {
  std::uint8_t expected[kTag];
  std::memcpy(expected, tag, kTag);
  if (!start(aad)) return false;
  int n = 0;
  std::uint8_t none[kTag];
  return EVP_CIPHER_CTX_ctrl(ctx_.get(), EVP_CTRL_AEAD_SET_TAG, kTag, expected) == 1 &&
         crypt(ctx_.get(), data.data(), data.data(), data.size()) &&
         EVP_CipherFinal_ex(ctx_.get(), none, &n) == 1;
}

void ChaChaPoly::MacCtxFree::operator()(evp_mac_ctx_st* ctx) const {
  EVP_MAC_CTX_free(ctx);
}

ChaChaPoly::ChaChaPoly(base::ByteView key) {
  SANDTRAP_CHECK(key.size() == 64);
  const Fetched& f = fetched();
  body_ = new_ctx(f.chacha.get(), key.first(32), nullptr, true);
  head_ = new_ctx(f.chacha.get(), key.subspan(32), nullptr, true);
  mac_.reset(EVP_MAC_CTX_new(f.poly1305.get()));
  SANDTRAP_CHECK(mac_ != nullptr);
}

ChaChaPoly::~ChaChaPoly() = default;

void ChaChaPoly::crypt_head(std::uint32_t sequence, std::uint8_t* four_bytes) {
  const auto iv = chacha_iv(sequence);
  SANDTRAP_CHECK(EVP_CipherInit_ex2(head_.get(), nullptr, nullptr, iv.data(), -1, nullptr) == 1 &&
                 crypt(head_.get(), four_bytes, four_bytes, 4));
}

std::uint32_t ChaChaPoly::length(std::uint32_t sequence, const std::uint8_t* head) {
  std::uint8_t b[4];
  std::memcpy(b, head, sizeof b);
  crypt_head(sequence, b);
  return static_cast<std::uint32_t>(b[0]) << 24 | static_cast<std::uint32_t>(b[1]) << 16 |
         static_cast<std::uint32_t>(b[2]) << 8 | b[3];
}

// Block 0 of the key stream is the Poly1305 key; the packet continues with block 1.
void ChaChaPoly::start_body(std::uint32_t sequence, std::uint8_t* poly_key) {
  const auto iv = chacha_iv(sequence);
  std::memset(poly_key, 0, 64);
  SANDTRAP_CHECK(EVP_CipherInit_ex2(body_.get(), nullptr, nullptr, iv.data(), -1, nullptr) == 1 &&
                 crypt(body_.get(), poly_key, poly_key, 64));
}

void ChaChaPoly::authenticate(const std::uint8_t* poly_key, base::ByteView packet,
                              std::uint8_t* tag) {
  std::size_t n = 0;
  SANDTRAP_CHECK(EVP_MAC_init(mac_.get(), poly_key, 32, nullptr) == 1 &&
                 EVP_MAC_update(mac_.get(), packet.data(), packet.size()) == 1 &&
                 EVP_MAC_final(mac_.get(), tag, &n, kTag) == 1);
}

void ChaChaPoly::seal(std::uint32_t sequence, base::MutableByteView packet, std::uint8_t* tag) {
  std::uint8_t poly_key[64];
  start_body(sequence, poly_key);
  crypt_head(sequence, packet.data());
  const base::MutableByteView body = packet.subspan(4);
  SANDTRAP_CHECK(crypt(body_.get(), body.data(), body.data(), body.size()));
  authenticate(poly_key, packet, tag);
  ::explicit_bzero(poly_key, sizeof poly_key);
}

bool ChaChaPoly::open(std::uint32_t sequence, base::MutableByteView packet,
                      const std::uint8_t* tag) {
  std::uint8_t poly_key[64], computed[kTag];
  start_body(sequence, poly_key);
  authenticate(poly_key, packet, computed);
  ::explicit_bzero(poly_key, sizeof poly_key);
  if (!equal_in_constant_time(computed, {tag, kTag})) return false;
  crypt_head(sequence, packet.data());
  const base::MutableByteView body = packet.subspan(4);
  return crypt(body_.get(), body.data(), body.data(), body.size());
}

}  // namespace sandtrap::crypto
