// The raw ciphers under SSH's packet protection, each set up once per direction and key; no call
// after construction allocates. All work in place. Packet framing is ssh/packet_protection.h.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/bytes.h"

struct evp_cipher_ctx_st;
struct evp_mac_ctx_st;

namespace sandtrap::crypto {

struct CipherCtxFree {
  void operator()(evp_cipher_ctx_st* ctx) const;
};
using CipherCtx = std::unique_ptr<evp_cipher_ctx_st, CipherCtxFree>;

// AES in counter mode; the key size (16, 24, 32) picks the variant.
class AesCtr {
 public:
  AesCtr(base::ByteView key, base::ByteView iv);
  void apply(base::MutableByteView data);

 private:
  CipherCtx ctx_;
};

// AES or triple DES in cipher block chaining, for ancient clients; whole blocks only. A key of 24
// bytes with an IV of 8 is 3DES.
class BlockChain {
 public:
  BlockChain(base::ByteView key, base::ByteView iv, bool seal);
  void apply(base::MutableByteView data);

 private:
  CipherCtx ctx_;
};

// AES-GCM with RFC 5647 §7.1 nonces: 4 fixed bytes and a 64-bit counter that advances per packet.
class AesGcm {
 public:
  static constexpr std::size_t kTag = 16;
  AesGcm(base::ByteView key, base::ByteView iv, bool seal);
  void seal(base::ByteView aad, base::MutableByteView data, std::uint8_t* tag);
  [[nodiscard]] bool open(base::ByteView aad, base::MutableByteView data, const std::uint8_t* tag);

 private:
  bool start(base::ByteView aad);
  CipherCtx ctx_;
  std::array<std::uint8_t, 12> iv_;
};

// chacha20-poly1305@openssh.com (OpenSSH PROTOCOL.chacha20poly1305): 64 key bytes, the second half
// encrypts the packet length alone; the nonce is the sequence number.
class ChaChaPoly {
 public:
  static constexpr std::size_t kTag = 16;
  explicit ChaChaPoly(base::ByteView key);
  ~ChaChaPoly();
  ChaChaPoly(ChaChaPoly&&) noexcept = default;

  std::uint32_t length(std::uint32_t sequence, const std::uint8_t* head);
  void seal(std::uint32_t sequence, base::MutableByteView packet, std::uint8_t* tag);
  [[nodiscard]] bool open(std::uint32_t sequence, base::MutableByteView packet,
                          const std::uint8_t* tag);

 private:
  void start_body(std::uint32_t sequence, std::uint8_t* poly_key);
  void crypt_head(std::uint32_t sequence, std::uint8_t* four_bytes);
  void authenticate(const std::uint8_t* poly_key, base::ByteView packet, std::uint8_t* tag);

  struct MacCtxFree {
    void operator()(evp_mac_ctx_st* ctx) const;
  };
  CipherCtx body_, head_;
  std::unique_ptr<evp_mac_ctx_st, MacCtxFree> mac_;
};

}  // namespace sandtrap::crypto
