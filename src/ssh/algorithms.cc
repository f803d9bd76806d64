#include "ssh/algorithms.h"

#include "crypto/mac.h"
#include "crypto/public_key.h"
#include "ssh/kex_method.h"
#include "ssh/packet_protection.h"

namespace sandtrap::ssh {

NameList implemented(AlgorithmKind kind) {
  const auto list = [](const auto& names) { return NameList(names.begin(), names.end()); };
  switch (kind) {
    case AlgorithmKind::kKex: {
      NameList names = list(kex_names());
      names.insert(names.end(), {"ext-info-s", "kex-strict-s-v00@openssh.com"});
      return names;
    }
    case AlgorithmKind::kCipher:
      return list(cipher_names());
    case AlgorithmKind::kMac:
      return list(crypto::mac_names());
    case AlgorithmKind::kCompression:
      return {"none", "zlib@openssh.com"};
    case AlgorithmKind::kHostKey:
      return {"rsa-sha2-512",        "rsa-sha2-256",        "ssh-rsa",    "ecdsa-sha2-nistp256",
              "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-ed25519"};
    case AlgorithmKind::kUserKey:
      return list(crypto::signature_algorithm_names());
  }
  return {};
}

}  // namespace sandtrap::ssh
