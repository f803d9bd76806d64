#include "config/login_rules.h"

#include <algorithm>

namespace sandtrap::config {
namespace {

LoginRule rule(std::string name, std::vector<std::string> users, std::vector<std::string> methods,
               bool allow) {
  LoginRule out;
  out.name = std::move(name);
  out.users = std::move(users);
  out.methods = std::move(methods);
  out.allow = allow;
  return out;
}

}  // namespace

std::vector<LoginPreset> login_presets() {
  const std::vector<std::string> passwords = {"password", "keyboard-interactive"};
  LoginRule open_root =
      rule("open-root", {"root"}, {"none", "password", "keyboard-interactive"}, true);
  open_root.sticky = Sticky::kNone;  // pam_unix asks an account without a password for nothing
  return {
      {"none", "no rules", {}, true},
      {"root-by-key",
       "`PermitRootLogin prohibit-password`, the default of OpenSSH: root's passwords fail",
       {rule("root-by-key", {"root"}, passwords, false)},
       true},
      {"no-root",
       "`PermitRootLogin no`: whatever root tries fails",
       {rule("no-root", {"root"}, {}, false)},
       true},
      {"keys-only",
       "`PasswordAuthentication no`, as cloud images have it: only keys are offered",
       {rule("keys-only", {}, passwords, false)},
       false},
      {"open-root",
       "`PermitEmptyPasswords yes` and a root without a password: root is let in by `none` and "
       "with "
       "any password",
       {std::move(open_root)},
       true},
  };
}

LoginPreset login_preset(const Authentication& settings) {
  for (LoginPreset& preset : login_presets()) {
    if (preset.name == settings.preset) return std::move(preset);
  }
  return {};
}

bool rule_covers(const LoginRule& rule, std::string_view method) {
  if (rule.methods.empty()) {
    if (!rule.allow && rule.key_types.empty()) return true;
    if (!rule.key_types.empty()) return method == "publickey";
    return method == "password" || method == "keyboard-interactive";
  }
  return std::find(rule.methods.begin(), rule.methods.end(), method) != rule.methods.end();
}

void derive_gate_view(Authentication& settings) {
  const LoginPreset preset = login_preset(settings);
  const auto lets_none_in = [](const LoginRule& one) {
    return one.allow && rule_covers(one, "none");
  };
  // The gate reads both as they were worked out before the rules were taken from its text.
  settings.asks_none = settings.asks_none ||
                       std::any_of(preset.rules.begin(), preset.rules.end(), lets_none_in) ||
                       std::any_of(settings.rules.begin(), settings.rules.end(), lets_none_in);
  settings.offers_passwords = settings.offers_passwords && preset.offers_passwords;
}

std::vector<std::string_view> sticky_names() {
  return {"none", "fixed", "user", "case"};
}

}  // namespace sandtrap::config
