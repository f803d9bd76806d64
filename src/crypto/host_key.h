// Private host keys. Only the warden holds them; everyone else sees the public blob. No file I/O
// here: the caller reads and writes the text.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/secret.h"

namespace sandtrap::crypto {

enum class HostKeyKind { kRsa3072, kEcdsaP256, kEd25519 };  // sshd's default three, in its order

class PrivateHostKey {
 public:
  static base::Result<PrivateHostKey> generate(HostKeyKind kind);
  // An unencrypted private key: OpenSSH's own format ("BEGIN OPENSSH PRIVATE KEY") or any PEM that
  // OpenSSL reads (PKCS#8, traditional). RSA of 1024 bits and more, ECDSA P-256/384/521, Ed25519.
  static base::Result<PrivateHostKey> parse(std::string_view text);

  PrivateHostKey(PrivateHostKey&&) noexcept;
  PrivateHostKey& operator=(PrivateHostKey&&) noexcept;
  ~PrivateHostKey();

  const std::string& type() const;  // "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256"…
  const base::Bytes& public_blob() const;
  unsigned bits() const;
  std::string public_line(std::string_view comment) const;  // "ssh-ed25519 AAAA… comment"

  // What ssh-keygen would write and read; mode 0600 is the caller's business.
  base::Result<Secret> openssh_text(std::string_view comment) const;
  base::Result<Secret> pkcs8_text() const;

  // RFC 4253 §6.6 signature blob. `algorithm`: "ssh-ed25519", "ecdsa-sha2-nistp256",
  // "rsa-sha2-512", "rsa-sha2-256" or "ssh-rsa"; one that does not fit the key is kInvalid.
  base::Result<base::Bytes> sign(std::string_view algorithm, base::ByteView data) const;

 private:
  struct Impl;
  explicit PrivateHostKey(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sandtrap::crypto
