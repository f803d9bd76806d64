// Decides each login attempt. Pure: no clock, no I/O; the caller passes the time.
//
// Passwords and keyboard-interactive answers, in this order, the first that applies decides:
//   user_name              the name cannot be an account (user_name.h): refused
//   empty_password         refused
//   deny_passwords         what worms try to find honeypots that accept anything: refused
//   credentials            the ordered list of the settings; an entry may deny (credentials_deny)
//   returning              this source earned this user with this very password: accepted
//   accept_after_failures  enough failures of this source came before: accepted, and earned in the
//                          place of what it had for this user
//   other_password         it earned this user with another one: refused
//   no_match               refused
// Every refused password counts as a failure of its source, every accepted one sets the source back
// to zero. Keys: `public_keys` of the settings. Everything else: refused ("method").
#pragma once

#include <cstdint>
#include <string_view>

#include "base/instant.h"
#include "config/settings.h"
#include "warden/failure_table.h"
#include "warden/source_key.h"

namespace sandtrap::warden {

struct LoginRequest {
  std::string_view user, method, secret;
  bool key_proven = false;  // false for a key: the client only asks whether we would take it
};

struct LoginDecision {
  bool accepted = false;
  std::string_view decided_by;  // a rule above; static storage
};

class LoginPolicy {
 public:
  // `seed` keys the digests of remembered passwords.
  LoginPolicy(const config::Authentication& settings, std::uint64_t seed);

  LoginDecision decide(const SourceKey& source, const LoginRequest& request, base::Instant now);
  void configure(const config::Authentication& settings);  // keeps what it remembers
  const FailureTable& table() const { return table_; }

 private:
  LoginDecision decide_password(const SourceKey& source, const LoginRequest& request,
                                base::Instant now);
  LoginDecision decide_key(const SourceKey& source, const LoginRequest& request,
                           base::Instant now) const;
  const config::Credential* match(const LoginRequest& request) const;
  bool enough_failures(const SourceKey& source, base::Instant now) const;
  Fingerprint fingerprint(std::string_view text) const;

  config::Authentication settings_;
  std::uint64_t seed_;
  FailureTable table_;
};

// `*` stands for any number of any bytes; everything else for itself.
bool glob_match(std::string_view pattern, std::string_view text);

}  // namespace sandtrap::warden
