#include "gate/warm_up.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <ctime>
#include <string_view>

namespace sandtrap::gate {

void warm_up(const Persona& persona, base::Entropy& entropy) {
  ::tzset();
  // OpenSSL reads its configuration file now or, after confine(), fails every fetch because of it.
  OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS |
                          OPENSSL_INIT_ADD_ALL_CIPHERS | OPENSSL_INIT_ADD_ALL_DIGESTS,
                      nullptr);
  std::uint8_t bytes[32];
  RAND_bytes(bytes, sizeof bytes);
  RAND_priv_bytes(bytes, sizeof bytes);
  for (const char* name : {"SHA256", "SHA512", "SHA1", "MD5"}) {
    EVP_MD_free(EVP_MD_fetch(nullptr, name, nullptr));
  }
  // A connection that goes as far as it can without a client: identification and KEXINIT.
  const base::Instant now = base::monotonic_now();
  ssh::Server server(persona.profile, persona.host_keys, entropy, persona.delay_secret, now);
  constexpr std::string_view kClient = "SSH-2.0-warm\r\n";
  server.receive(base::as_bytes(kClient), now);
  while (server.next_event()) {
  }
}

}  // namespace sandtrap::gate
