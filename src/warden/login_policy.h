// Decides each login attempt. Pure: no clock, no I/O; the caller passes the time.
//
// In this order, the first that applies decides:
//   method           not one that this server knows: refused
//   user_name        the name cannot be an account (user_name.h): refused
//   empty_password   refused, unless a rule lets this user in by `none`
//   deny_passwords   what worms try to find honeypots that accept anything: refused
//   the rules        login_rules.h: preset:NAME, rule:NAME, credentials, public_keys,
//                    accept_after_failures; docs/login-policy.md
//   returning        the attacker earned this login: let in
//   other_password   it earned this user with another one: refused
//   no_match         refused
// A rule that lets in under `sticky: user` (`case`) gives way to what was earned: the earned login
// is let in ("returning"), another one of this user (of anybody) is refused ("other_password",
// "other_login").
//
// Every refused password counts as a failure of its attacker, every accepted one sets the attacker
// back to zero.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.h"
#include "config/settings.h"
#include "warden/login_records.h"
#include "warden/login_rules.h"

namespace sandtrap::warden {

struct LoginDecision {
  bool accepted = false;
  std::string decided_by;   // one of the list above
  bool remembered = false;  // the attacker's record changed: worth saving
  bool earned = false;      // let in with what this attacker found, not with what anybody may use
};

struct LoginExplanation {
  struct Step {
    std::string rule, why;
  };
  LoginDecision decision;
  std::vector<Step> steps;  // all that were looked at, the deciding one last
};

class LoginPolicy {
 public:
  // `seed` keys the digests of remembered passwords and the lots of `probability`: with the same
  // seed both stay what they were.
  LoginPolicy(const config::Authentication& settings, std::uint64_t seed);

  // `record` is the attacker's key in records().
  LoginDecision decide(std::string_view record, const LoginRequest& request, base::Instant now);
  // The same without remembering anything.
  LoginExplanation explain(std::string_view record, const LoginRequest& request,
                           base::Instant now) const;

  void configure(const config::Authentication& settings);  // keeps what it remembers
  LoginRecords& records() { return records_; }
  const LoginRecords& records() const { return records_; }
  Fingerprint fingerprint(std::string_view text) const;

 private:
  struct Verdict {
    bool accepted = false;
    std::string_view by;
    bool earns = false;
  };
  struct Attempt;
  using Steps = std::vector<LoginExplanation::Step>;

  // `steps` may be null: the hot path explains nothing.
  Verdict judge(std::string_view record, const LoginRequest& request, base::Instant now,
                Steps* steps) const;
  Verdict judge_by_rules(const Attempt& attempt, Steps* steps) const;
  std::optional<Verdict> by_memory(const LoginRuleMatcher& rule, const Attempt& attempt) const;
  std::string unmet(const LoginRuleMatcher& rule, const Attempt& attempt) const;
  double lot(const LoginRuleMatcher& rule, const Attempt& attempt) const;
  EarnedLogin login_of(const LoginRequest& request) const;

  config::Authentication settings_;
  std::uint64_t seed_;
  std::vector<LoginRuleMatcher> rules_;
  LoginRecords records_;
};

}  // namespace sandtrap::warden
