// What the login policy remembers of each attacker: failed passwords, and the logins that were let
// in. Bounded: when full, the record that changed longest ago makes room. Every operation takes
// time that is constant, or linear in the few logins of one record. Pure: time comes in.
//
// A record's key is an opaque text: the id of the case, or whatever stands for the attacker before
// there is one. When a case joins another, rekey() takes its record along.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/instant.h"

namespace sandtrap::warden {

// A keyed digest instead of the text: an attacker's kilobyte-long passwords cost 16 bytes each.
using Fingerprint = std::array<std::uint8_t, 16>;

struct EarnedLogin {
  Fingerprint user, secret;
  bool key = false;  // `secret` is of a public key
  base::Instant until;
};

struct LoginRecord {
  std::uint32_t failures = 0;
  base::Instant until;              // failures are forgotten then
  std::vector<EarnedLogin> earned;  // oldest first
};

// A record as it is kept beyond this process: times are those of the wall clock.
struct SavedLogin {
  Fingerprint user, secret;
  bool key = false;
  base::WallTime until;
};
struct SavedRecord {
  std::string record;
  std::uint32_t failures = 0;
  base::WallTime until;
  std::vector<SavedLogin> earned;
};

// Both clocks, read at the same moment.
struct Clocks {
  base::Instant now;
  base::WallTime wall;
};

class LoginRecords {
 public:
  LoginRecords(std::size_t max_records, std::size_t max_earned, std::chrono::seconds memory)
      : max_records_(max_records), max_earned_(max_earned), memory_(memory) {}

  std::uint32_t failures(std::string_view record, base::Instant now) const;
  void add_failure(std::string_view record, base::Instant now);
  void forget_failures(std::string_view record);
  // Those that have not run out.
  std::vector<EarnedLogin> earned(std::string_view record, base::Instant now) const;
  // Remembers (or, if it is known, renews) it.
  void earn(std::string_view record, EarnedLogin login, base::Instant now);

  // What `from` had belongs to `to` from now on; both together obey the same limits.
  void rekey(std::string_view from, std::string_view to, base::Instant now);
  void erase(std::string_view record);

  std::optional<SavedRecord> save(std::string_view record, Clocks clocks) const;
  std::vector<SavedRecord> save_all(Clocks clocks) const;  // the oldest first
  // Takes them in as if they had been made here, in this order; what has run out is left out, and
  // times beyond what could have been remembered are cut.
  void load(const std::vector<SavedRecord>& saved, Clocks clocks);

  void configure(std::size_t max_records, std::size_t max_earned, std::chrono::seconds memory);
  std::size_t size() const { return order_.size(); }

 private:
  using Entry = std::pair<std::string, LoginRecord>;
  using Order = std::list<Entry>;
  LoginRecord& touch(std::string_view record, base::Instant now);
  const LoginRecord* find(std::string_view record) const;
  void keep(LoginRecord& record, const EarnedLogin& login) const;
  void evict();

  std::size_t max_records_, max_earned_;
  std::chrono::seconds memory_;
  Order order_;  // front: changed last
  // The views are of the entries' own keys; a list never moves an entry.
  std::unordered_map<std::string_view, Order::iterator> index_;
};

}  // namespace sandtrap::warden
