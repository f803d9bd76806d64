// OpenSSH's private key file, unencrypted (OpenSSH PROTOCOL.key). For crypto/host_key.cc.
#pragma once

#include <string_view>

#include "base/error.h"
#include "crypto/key_types.h"
#include "crypto/openssl.h"
#include "crypto/secret.h"

namespace sandtrap::crypto {

base::Result<PkeyPtr> parse_openssh_private_key(std::string_view text);
base::Result<Secret> write_openssh_private_key(const EVP_PKEY* key, const SignatureAlgorithm& kind,
                                               ByteView public_blob, std::string_view comment);

}  // namespace sandtrap::crypto
