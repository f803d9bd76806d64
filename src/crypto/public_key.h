// SSH public keys of users (and of hosts, in the test client): parsing of the RFC 4253 §6.6 blob,
// verification of signatures, fingerprints. The blob and the signature are an attacker's bytes.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace sandtrap::crypto {

inline constexpr std::size_t kMaxKeyBlob = 16384;  // an RSA-16384 key, OpenSSH's largest, is 2 KB

// "SHA256:…" as `ssh-keygen -l` prints it, for any blob, parseable or not.
std::string fingerprint(base::ByteView blob);

// Key type that a signature algorithm belongs to: "rsa-sha2-512" -> "ssh-rsa"; a key type maps to
// itself; unknown names to "".
std::string_view key_type_of(std::string_view algorithm);
std::vector<std::string_view> signature_algorithm_names();  // all that verify() knows

class PublicKey {
 public:
  // ssh-ed25519, ssh-rsa, ecdsa-sha2-nistp{256,384,521}, sk-ssh-ed25519@openssh.com,
  // sk-ecdsa-sha2-nistp256@openssh.com. Trailing bytes, off-curve points and RSA moduli under 1024
  // or over 16384 bits are errors.
  static base::Result<PublicKey> parse(base::ByteView blob);

  PublicKey(PublicKey&&) noexcept;
  PublicKey& operator=(PublicKey&&) noexcept;
  ~PublicKey();

  const std::string& type() const;  // the type name inside the blob
  unsigned bits() const;            // as ssh-keygen -l counts them: 256, 3072…

  // True if `signature` (RFC 4253 §6.6 signature blob) is this key's, over `data`, and both the
  // blob's inner name and the key type fit `algorithm` ("rsa-sha2-256", "ssh-rsa" = SHA-1, …).
  // Whether an algorithm is acceptable at all is the caller's policy.
  [[nodiscard]] bool verify(std::string_view algorithm, base::ByteView data,
                            base::ByteView signature) const;

 private:
  struct Impl;
  explicit PublicKey(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sandtrap::crypto
