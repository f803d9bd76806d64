// Hash functions of the SSH protocol. Contexts are plain values on the stack: a connection hashes a
// dozen short strings, and OpenSSL's EVP layer would allocate for each.
#pragma once

#include <openssl/md5.h>
#include <openssl/sha.h>

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace sandtrap::crypto {

enum class HashName : std::uint8_t { kMd5, kSha1, kSha256, kSha384, kSha512 };

inline constexpr std::size_t kMaxDigest = 64;

std::size_t digest_size(HashName name);
std::size_t hash_block_size(HashName name);

struct Digest {  // `size` bytes of `bytes` are valid
  std::array<std::uint8_t, kMaxDigest> bytes;
  std::size_t size = 0;
  base::ByteView view() const { return base::ByteView(bytes).first(size); }
};

class Hash {
 public:
  explicit Hash(HashName name);
  Hash& update(base::ByteView bytes);
  Hash& update_u32(std::uint32_t v);          // big-endian
  Hash& update_string(base::ByteView bytes);  // RFC 4251 string: length, then bytes
  Digest finish();                            // the object is spent
  HashName name() const { return name_; }

 private:
  HashName name_;
  union {
    MD5_CTX md5;
    SHA_CTX sha1;
    SHA256_CTX sha256;
    SHA512_CTX sha512;
  } state_;
};

Digest hash(HashName name, base::ByteView bytes);

}  // namespace sandtrap::crypto
