// Key material that others wrote: a user's public key blob with a signature, a moduli file, a host
// key file. The first byte chooses.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "crypto/host_key.h"
#include "crypto/public_key.h"
#include "ssh/kex_moduli.h"

namespace {

using namespace sandtrap;

void user_key(base::ByteView bytes) {
  if (bytes.empty()) return;
  const std::size_t blob = std::min<std::size_t>(bytes[0] * std::size_t{4}, bytes.size() - 1);
  const base::ByteView key_blob = bytes.subspan(1, blob);
  const base::ByteView signature = bytes.subspan(1 + blob);
  SANDTRAP_CHECK(crypto::fingerprint(key_blob).starts_with("SHA256:"));
  const auto key = crypto::PublicKey::parse(key_blob);
  if (!key) return;
  SANDTRAP_CHECK(!key->type().empty() && key->bits() >= 256);
  for (const std::string_view name : crypto::signature_algorithm_names()) {
    (void)key->verify(name, key_blob, signature);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const base::ByteView rest(data + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      user_key(rest);
      break;
    case 1:
      for (const ssh::Modulus& modulus : ssh::parse_moduli(base::as_text(rest))) {
        SANDTRAP_CHECK(!modulus.prime.empty());
      }
      break;
    default:
      (void)crypto::PrivateHostKey::parse(base::as_text(rest));
  }
  return 0;
}
