#include "ssh/hassh.h"

#include <gtest/gtest.h>

namespace sandtrap::ssh {
namespace {

// The lists of OpenSSH 9.6's KEXINIT and its published hasshServer; the formula is the same for a
// client, only the direction of the lists differs.
TEST(Hassh, MatchesPublishedFingerprint) {
  ClientKexInit k;
  k.kex =
      "sntrup761x25519-sha512@openssh.com,curve25519-sha256,curve25519-sha256@libssh.org,"
      "ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,"
      "diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,"
      "diffie-hellman-group18-sha512,diffie-hellman-group14-sha256,ext-info-s,"
      "kex-strict-s-v00@openssh.com";
  k.enc_c2s =
      "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com,"
      "aes256-gcm@openssh.com";
  k.mac_c2s =
      "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,"
      "hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,umac-64@openssh.com,"
      "umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1";
  k.comp_c2s = "none,zlib@openssh.com";
  k.enc_s2c = k.mac_s2c = k.comp_s2c = k.host_key = "not part of it";
  EXPECT_EQ(hassh(k), "e42184b06d45385a906f0803d04c83da");
}

TEST(Hassh, ListsStayAsReceived) {
  ClientKexInit k;
  k.kex = "b,a";
  k.enc_c2s = ",x";
  EXPECT_EQ(hassh_algorithms(k), "b,a;,x;;");
  EXPECT_EQ(hassh(ClientKexInit{}), "95420f9d932ddd22833f17b96a80bedb");
}

}  // namespace
}  // namespace sandtrap::ssh
