// The one-shot contexts of OpenSSL's low-level hash API are deprecated but neither gone nor slower;
// the EVP replacement allocates on every init and copy.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/hash.h"

#include "base/error.h"

namespace sandtrap::crypto {

std::size_t digest_size(HashName name) {
  switch (name) {
    case HashName::kMd5:
      return 16;
    case HashName::kSha1:
      return 20;
    case HashName::kSha256:
      return 32;
    case HashName::kSha384:
      return 48;
    case HashName::kSha512:
      return 64;
  }
  return 0;
}

std::size_t hash_block_size(HashName name) {
  return name == HashName::kSha384 || name == HashName::kSha512 ? 128 : 64;
}

Hash::Hash(HashName name) : name_(name) {
  switch (name_) {
    case HashName::kMd5:
      MD5_Init(&state_.md5);
      return;
    case HashName::kSha1:
      SHA1_Init(&state_.sha1);
      return;
    case HashName::kSha256:
      SHA256_Init(&state_.sha256);
      return;
    case HashName::kSha384:
      SHA384_Init(&state_.sha512);
      return;
    case HashName::kSha512:
      SHA512_Init(&state_.sha512);
      return;
  }
}

Hash& Hash::update(base::ByteView b) {
  switch (name_) {
    case HashName::kMd5:
      MD5_Update(&state_.md5, b.data(), b.size());
      break;
    case HashName::kSha1:
      SHA1_Update(&state_.sha1, b.data(), b.size());
      break;
    case HashName::kSha256:
      SHA256_Update(&state_.sha256, b.data(), b.size());
      break;
    case HashName::kSha384:
    case HashName::kSha512:
      SHA512_Update(&state_.sha512, b.data(), b.size());
      break;
  }
  return *this;
}

Hash& Hash::update_u32(std::uint32_t v) {
  const std::uint8_t b[4] = {static_cast<std::uint8_t>(v >> 24), static_cast<std::uint8_t>(v >> 16),
                             static_cast<std::uint8_t>(v >> 8), static_cast<std::uint8_t>(v)};
  return update(b);
}

Hash& Hash::update_string(base::ByteView bytes) {
  return update_u32(static_cast<std::uint32_t>(bytes.size())).update(bytes);
}

Digest Hash::finish() {
  Digest out;
  out.size = digest_size(name_);
  std::uint8_t* to = out.bytes.data();
  switch (name_) {
    case HashName::kMd5:
      MD5_Final(to, &state_.md5);
      break;
    case HashName::kSha1:
      SHA1_Final(to, &state_.sha1);
      break;
    case HashName::kSha256:
      SHA256_Final(to, &state_.sha256);
      break;
    case HashName::kSha384:
      SHA384_Final(to, &state_.sha512);
      break;
    case HashName::kSha512:
      SHA512_Final(to, &state_.sha512);
      break;
  }
  return out;
}

Digest hash(HashName name, base::ByteView bytes) {
  return Hash(name).update(bytes).finish();
}

}  // namespace sandtrap::crypto
