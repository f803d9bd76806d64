// The key types and signature algorithms of SSH as one table, for public and private keys.
// (RFC 4253 §6.6, RFC 5656 §3, RFC 8332, RFC 8709, OpenSSH PROTOCOL.u2f.)
#pragma once

#include <string_view>

#include "crypto/hash.h"
#include "crypto/openssl.h"

namespace sandtrap::crypto {

enum class KeyFamily : std::uint8_t { kRsa, kEcdsa, kEd25519 };

struct SignatureAlgorithm {
  std::string_view name;      // in signature blobs and lists
  std::string_view key_type;  // in key blobs
  KeyFamily family;
  HashName hash;           // unused by Ed25519
  std::string_view curve;  // RFC 5656 identifier, "" otherwise
  const char* group;       // OpenSSL's name of the curve
  unsigned bits;           // of the curve or the Ed25519 key; 0: depends on the key
  bool hardware;           // FIDO key: an application string, flags and a counter are signed too
  bool webauthn = false;   // signed in a browser: its JSON around the data is what is hashed
};

const SignatureAlgorithm* find_signature_algorithm(std::string_view name);  // null: unknown
const SignatureAlgorithm* find_key_type(std::string_view type);  // any algorithm of that key type

const EVP_MD* evp_digest(HashName name);

}  // namespace sandtrap::crypto
