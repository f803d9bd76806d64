#include "crypto/password_hash.h"

#include <crypt.h>
#include <gtest/gtest.h>

namespace sandtrap::crypto {
namespace {

TEST(PasswordHash, IsWhatDebiansPasswdWouldWrite) {
  const base::Bytes salt(kPasswordSalt, 0x5a);
  const std::string hash = hash_password("letmein", salt);
  ASSERT_TRUE(hash.starts_with("$y$j9T$")) << hash;
  EXPECT_EQ(hash.find_first_of(":\n"), std::string::npos);
  crypt_data data{};
  EXPECT_EQ(hash, ::crypt_r("letmein", hash.c_str(), &data));
  EXPECT_NE(hash, ::crypt_r("letmeout", hash.c_str(), &data));
}

TEST(PasswordHash, APasswordThatNoAccountCanHaveHasNone) {
  const base::Bytes salt(kPasswordSalt, 1);
  EXPECT_EQ(hash_password(std::string("a\0b", 3), salt), "");
  EXPECT_EQ(hash_password(std::string(CRYPT_MAX_PASSPHRASE_SIZE + 1, 'a'), salt), "");
}

}  // namespace
}  // namespace sandtrap::crypto
