#include "ssh/profile.h"

namespace sandtrap::ssh {

// Every value is what the package 1:9.2p1-2+deb12u10 was seen to send with its default
// configuration.
Profile debian_12() {
  Profile p;
  p.name = "debian-12";
  p.software = "OpenSSH_9.2p1 Debian-2+deb12u10";
  p.kex = {"sntrup761x25519-sha512",
           "sntrup761x25519-sha512@openssh.com",
           "curve25519-sha256",
           "curve25519-sha256@libssh.org",
           "ecdh-sha2-nistp256",
           "ecdh-sha2-nistp384",
           "ecdh-sha2-nistp521",
           "diffie-hellman-group-exchange-sha256",
           "diffie-hellman-group16-sha512",
           "diffie-hellman-group18-sha512",
           "diffie-hellman-group14-sha256",
           "kex-strict-s-v00@openssh.com"};
  p.ciphers = {"chacha20-poly1305@openssh.com",
               "aes128-ctr",
               "aes192-ctr",
               "aes256-ctr",
               "aes128-gcm@openssh.com",
               "aes256-gcm@openssh.com"};
  p.macs = {"umac-64-etm@openssh.com",
            "umac-128-etm@openssh.com",
            "hmac-sha2-256-etm@openssh.com",
            "hmac-sha2-512-etm@openssh.com",
            "hmac-sha1-etm@openssh.com",
            "umac-64@openssh.com",
            "umac-128@openssh.com",
            "hmac-sha2-256",
            "hmac-sha2-512",
            "hmac-sha1"};
  p.compression = {"none", "zlib@openssh.com"};
  p.host_key_algorithms = {"rsa-sha2-512", "rsa-sha2-256", "ecdsa-sha2-nistp256", "ssh-ed25519"};
  p.ext_info = {
      {"server-sig-algs",
       "ssh-ed25519,sk-ssh-ed25519@openssh.com,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,"
       "ecdsa-sha2-nistp521,sk-ecdsa-sha2-nistp256@openssh.com,"
       "webauthn-sk-ecdsa-sha2-nistp256@openssh.com,ssh-dss,ssh-rsa,rsa-sha2-256,rsa-sha2-512"},
      {"publickey-hostbound@openssh.com", "0"}};
  // ssh-rsa (SHA-1) and ssh-dss are listed above, yet refused: RequiredRSASize and the default
  // PubkeyAcceptedAlgorithms decide.
  p.accepted_user_key_algorithms = {"ssh-ed25519",         "sk-ssh-ed25519@openssh.com",
                                    "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
                                    "ecdsa-sha2-nistp521", "sk-ecdsa-sha2-nistp256@openssh.com",
                                    "rsa-sha2-512",        "rsa-sha2-256"};
  return p;
}

}  // namespace sandtrap::ssh
