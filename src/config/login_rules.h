// The named sets of login rules (authentication.preset), and what the rules mean for what the gate
// offers. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "config/settings.h"

namespace sandtrap::config {

struct LoginPreset {
  std::string_view name, meaning;
  std::vector<LoginRule> rules;
  bool offers_passwords = true;
};

std::vector<LoginPreset> login_presets();
// The set that the settings name; an empty one for `none`.
LoginPreset login_preset(const Authentication& settings);

// Without `method` a rule that denies is about every method, one that allows about passwords only:
// nobody is to be let in by `none` or by a key because a rule did not mention them.
bool rule_covers(const LoginRule& rule, std::string_view method);

// Fills the members that follow from the rules.
void derive_gate_view(Authentication& settings);

std::vector<std::string_view> sticky_names();  // by enumerator

}  // namespace sandtrap::config
