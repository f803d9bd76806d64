#include "cases/case.h"

#include <array>

namespace sandtrap::cases {
namespace {

constexpr std::array<std::string_view, kKeyKinds> kKinds = {"source", "credential", "client_key",
                                                            "hassh"};
constexpr std::array<std::string_view, 4> kStates = {"none", "running", "frozen", "preserved"};

}  // namespace

std::string_view name(KeyKind kind) {
  return kKinds[static_cast<std::size_t>(kind)];
}

bool parse_kind(std::string_view text, KeyKind& out) {
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    if (kKinds[i] != text) continue;
    out = static_cast<KeyKind>(i);
    return true;
  }
  return false;
}

std::string_view name(SandboxState state) {
  return kStates[static_cast<std::size_t>(state)];
}

Key credential_key(std::string_view user, std::string_view password) {
  Key key{KeyKind::kCredential, std::string(user)};
  key.value += '\0';  // no user name holds one
  key.value += password;
  return key;
}

std::string describe(const Key& key) {
  const std::string_view value(key.value);
  return std::string(name(key.kind)) + " " + std::string(value.substr(0, value.find('\0')));
}

}  // namespace sandtrap::cases
