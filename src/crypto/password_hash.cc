#include "crypto/password_hash.h"

#include <crypt.h>

#include <memory>

namespace sandtrap::crypto {

std::string hash_password(std::string_view password, base::ByteView salt) {
  const std::string text(password);
  if (text.find('\0') != std::string::npos || text.size() > CRYPT_MAX_PASSPHRASE_SIZE) return {};
  char setting[CRYPT_GENSALT_OUTPUT_SIZE];
  const auto* bytes = reinterpret_cast<const char*>(salt.data());
  // Cost 5 is the default, and the one of which "j9T" speaks.
  if (::crypt_gensalt_rn("$y$", 5, bytes, static_cast<int>(salt.size()), setting,
                         sizeof(setting)) == nullptr)
    return {};
  const auto data = std::make_unique<crypt_data>();  // 32 KiB: not for the stack
  const char* hash = ::crypt_rn(text.c_str(), setting, data.get(), sizeof(crypt_data));
  return hash == nullptr ? std::string() : std::string(hash);
}

}  // namespace sandtrap::crypto
