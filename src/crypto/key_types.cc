#include "crypto/key_types.h"

#include <algorithm>
#include <iterator>

#include "crypto/public_key.h"

namespace sandtrap::crypto {
namespace {

using F = KeyFamily;
using H = HashName;

constexpr SignatureAlgorithm kAlgorithms[] = {
    {"ssh-ed25519", "ssh-ed25519", F::kEd25519, H::kSha512, "", nullptr, 256, false},
    {"sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519@openssh.com", F::kEd25519, H::kSha512, "",
     nullptr, 256, true},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", F::kEcdsa, H::kSha256, "nistp256", "P-256", 256,
     false},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", F::kEcdsa, H::kSha384, "nistp384", "P-384", 384,
     false},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", F::kEcdsa, H::kSha512, "nistp521", "P-521", 521,
     false},
    {"sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", F::kEcdsa,
     H::kSha256, "nistp256", "P-256", 256, true},
    {"webauthn-sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", F::kEcdsa,
     H::kSha256, "nistp256", "P-256", 256, true, true},
    {"rsa-sha2-512", "ssh-rsa", F::kRsa, H::kSha512, "", nullptr, 0, false},
    {"rsa-sha2-256", "ssh-rsa", F::kRsa, H::kSha256, "", nullptr, 0, false},
    {"ssh-rsa", "ssh-rsa", F::kRsa, H::kSha1, "", nullptr, 0, false},
};

template <class Match>
const SignatureAlgorithm* find(Match match) {
  const auto* it = std::find_if(std::begin(kAlgorithms), std::end(kAlgorithms), match);
  return it == std::end(kAlgorithms) ? nullptr : it;
}

}  // namespace

const SignatureAlgorithm* find_signature_algorithm(std::string_view name) {
  return find([&](const SignatureAlgorithm& a) { return a.name == name; });
}

const SignatureAlgorithm* find_key_type(std::string_view type) {
  return find([&](const SignatureAlgorithm& a) { return a.key_type == type; });
}

std::vector<std::string_view> signature_algorithm_names() {
  std::vector<std::string_view> names;
  for (const SignatureAlgorithm& a : kAlgorithms) names.push_back(a.name);
  return names;
}

const EVP_MD* evp_digest(HashName name) {
  // Fetched once: every use of EVP_sha256() and its like would look the name up again.
  static const MdPtr kSha1(EVP_MD_fetch(nullptr, "SHA1", nullptr));
  static const MdPtr kSha256(EVP_MD_fetch(nullptr, "SHA256", nullptr));
  static const MdPtr kSha384(EVP_MD_fetch(nullptr, "SHA384", nullptr));
  static const MdPtr kSha512(EVP_MD_fetch(nullptr, "SHA512", nullptr));
  switch (name) {
    case HashName::kSha1:
      return kSha1.get();
    case HashName::kSha256:
      return kSha256.get();
    case HashName::kSha384:
      return kSha384.get();
    case HashName::kSha512:
      return kSha512.get();
    case HashName::kMd5:
      break;
  }
  return nullptr;
}

}  // namespace sandtrap::crypto
