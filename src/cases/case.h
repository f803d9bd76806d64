// A case: one attacker, as far as we can tell. Values, pure. docs/cases.md describes them.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.h"

namespace sandtrap::cases {

enum class KeyKind : std::uint8_t { kSource, kCredential, kClientKey, kHassh };
inline constexpr std::size_t kKeyKinds = 4;
std::string_view name(KeyKind kind);  // "source", "credential", "client_key", "hassh"
bool parse_kind(std::string_view name, KeyKind& out);

struct Key {  // what leads to a case
  KeyKind kind = KeyKind::kSource;
  std::string value;  // canonical; bytes the attacker chose, for a credential
  auto operator<=>(const Key&) const = default;
};
Key credential_key(std::string_view user, std::string_view password);
std::string describe(const Key& key);  // "source 192.0.2.7"; of a credential the user alone

struct Earned {  // a login that this attacker found or made
  std::string user, password;
  base::WallTime since;
  bool operator==(const Earned& o) const { return user == o.user && password == o.password; }
};

enum class SandboxState : std::uint8_t { kNone, kRunning, kFrozen, kPreserved };
std::string_view name(SandboxState state);  // "none", "running", "frozen", "preserved"

struct SandboxNote {
  std::string id;
  SandboxState state = SandboxState::kNone;
  std::string reference;    // preserved: what Engine::restore() takes
  std::uint64_t bytes = 0;  // preserved: of disk; frozen: of memory
};

struct Case {
  static constexpr std::size_t kMaxKeys = 64, kMaxEarned = 16;

  std::string id;  // 12 hex digits
  base::WallTime created, last_seen;
  std::uint64_t visits = 0;  // sessions ever
  bool established = false;  // a login was accepted
  std::string source_ip;     // of the newest session
  std::vector<Key> keys;
  std::vector<Earned> earned;
  SandboxNote sandbox;
};

}  // namespace sandtrap::cases
