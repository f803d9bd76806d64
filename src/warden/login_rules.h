// The login rules ready for use: preset, then authentication.rules, then what the older settings
// mean as rules, in this order. Pure; values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/network.h"
#include "config/pattern.h"
#include "config/settings.h"

namespace sandtrap::warden {

struct LoginRequest {
  std::string_view user, method, secret;
  bool key_proven = false;  // false for a key: the client only asks whether we would take it
  std::string_view source_ip, key_type, key_fingerprint;
};

class LoginRuleMatcher {
 public:
  // `label` names it in events. Patterns are what config::load() let pass; one that is none
  // matches nothing.
  LoginRuleMatcher(std::string label, config::LoginRule rule, config::Sticky fallback);

  // What the request lacks ("the user is another one"); "" if all fixed conditions are met.
  std::string_view mismatch(const LoginRequest& request) const;

  const std::string& label() const { return label_; }
  const config::LoginRule& rule() const { return rule_; }
  config::Sticky sticky() const { return sticky_; }

 private:
  struct Text {  // a condition on a user or password
    Text(const std::vector<std::string>& globs, const std::string& expression);
    bool matches(std::string_view text) const;
    std::vector<std::string> globs;
    std::optional<config::Regex> regex;
    bool any = false;
  };

  std::string label_;
  config::LoginRule rule_;
  config::Sticky sticky_;
  Text user_, password_;
  std::vector<config::Network> sources_;
};

std::vector<LoginRuleMatcher> login_rules(const config::Authentication& settings);

}  // namespace sandtrap::warden
