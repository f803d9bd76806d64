// The host keys: read once, used to sign, never sent anywhere. Only their public halves and
// signatures leave the warden.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"
#include "crypto/host_key.h"

namespace sandtrap::warden {

class HostKeys {
 public:
  // All of ssh_host_*_key in `directory`, in sshd's order: rsa, ecdsa, ed25519. A key file that is
  // not ours alone (owner, mode 0600 or less, no link) is refused, as sshd refuses it. When there
  // is none, makes the three that sshd has by default. `salt` goes into delay_secret().
  static base::Result<HostKeys> load(const std::string& directory, std::string_view salt,
                                     base::Log& log);

  std::vector<std::pair<std::string, base::Bytes>> public_keys() const;
  // Stable over restarts, tells nothing about the keys: seeds the failure delay of each user, which
  // in OpenSSH is a hash over configuration and private keys.
  std::uint64_t delay_secret() const { return delay_secret_; }
  // As stable, and never told to a gate: keys what the login policy remembers.
  std::uint64_t policy_secret() const { return policy_secret_; }

  // `hash`: the exchange hash H of RFC 4253 §8. kDenied: no such key, or not its algorithm.
  base::Result<base::Bytes> sign(std::uint32_t key, std::string_view algorithm,
                                 base::ByteView hash) const;
  // hostkeys-prove-00@openssh.com (OpenSSH PROTOCOL §2.5): a signature over that name, the session
  // identifier and the key's blob, for each key.
  base::Result<std::vector<base::Bytes>> prove(
      base::ByteView session_identifier,
      const std::vector<std::pair<std::uint32_t, std::string>>& keys) const;

 private:
  HostKeys() = default;
  std::vector<crypto::PrivateHostKey> keys_;
  std::uint64_t delay_secret_ = 0, policy_secret_ = 0;
};

// Whether a key of `type` makes signatures of `algorithm` (RFC 8332 §3).
bool algorithm_fits(std::string_view type, std::string_view algorithm);

}  // namespace sandtrap::warden
