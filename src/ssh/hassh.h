// HASSH client fingerprint: MD5 over the algorithm lists of a client's KEXINIT, byte for byte as
// received. https://github.com/salesforce/hassh. Pure functions.
#pragma once

#include <string>

#include "ssh/server.h"

namespace sandtrap::ssh {

// "kex;ciphers;macs;compressions", client to server.
std::string hassh_algorithms(const ClientKexInit& kexinit);
std::string hassh(const ClientKexInit& kexinit);  // 32 hexadecimal digits

}  // namespace sandtrap::ssh
