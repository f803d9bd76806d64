#include "ssh/hassh.h"

#include "crypto/hash.h"

namespace sandtrap::ssh {

std::string hassh_algorithms(const ClientKexInit& kexinit) {
  std::string out = kexinit.kex;
  for (const std::string* list : {&kexinit.enc_c2s, &kexinit.mac_c2s, &kexinit.comp_c2s}) {
    out.push_back(';');
    out += *list;
  }
  return out;
}

std::string hassh(const ClientKexInit& kexinit) {
  const std::string algorithms = hassh_algorithms(kexinit);
  return base::to_hex(crypto::hash(crypto::HashName::kMd5, base::as_bytes(algorithms)).view());
}

}  // namespace sandtrap::ssh
