#include "warden/login_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/glob.h"
#include "config/login_rules.h"

namespace sandtrap::warden {
namespace {

using config::LoginRule;
using config::Sticky;
using Keys = config::Authentication::PublicKeys;

const std::vector<std::string> kPasswords = {"password", "keyboard-interactive"};

LoginRule from_credential(const config::Credential& entry) {
  LoginRule rule;
  rule.users = {entry.user};
  // A denied user without a password is denied with any.
  if (!(entry.deny && entry.password.empty())) rule.passwords = {entry.password};
  rule.methods = kPasswords;
  rule.allow = !entry.deny;
  if (rule.allow) rule.sticky = Sticky::kFixed;
  return rule;
}

LoginRule after_failures(std::vector<std::string> methods, std::uint32_t failures, Sticky sticky) {
  LoginRule rule;
  rule.methods = std::move(methods);
  rule.allow = true;
  rule.on_try = failures + 1;
  rule.sticky = sticky;
  return rule;
}

std::optional<LoginRule> from_public_keys(const config::Authentication& settings) {
  LoginRule rule;
  rule.methods = {"publickey"};
  if (settings.public_keys == Keys::kRefuse) return rule;
  if (settings.public_keys == Keys::kAccept) {
    rule.allow = true;
    rule.sticky = Sticky::kNone;
    return rule;
  }
  if (!settings.accept_after_failures) return std::nullopt;
  return after_failures({"publickey"}, *settings.accept_after_failures, Sticky::kNone);
}

}  // namespace

LoginRuleMatcher::Text::Text(const std::vector<std::string>& texts, const std::string& expression)
    : globs(texts), any(texts.empty() && expression.empty()) {
  if (expression.empty()) return;
  auto compiled = config::Regex::compile(expression);
  if (compiled) regex = std::move(*compiled);
}

bool LoginRuleMatcher::Text::matches(std::string_view text) const {
  if (any) return true;
  if (regex) return regex->matches(text);
  return std::any_of(globs.begin(), globs.end(),
                     [text](const std::string& glob) { return base::glob_match(glob, text); });
}

LoginRuleMatcher::LoginRuleMatcher(std::string label, LoginRule rule, Sticky fallback)
    : label_(std::move(label)),
      rule_(std::move(rule)),
      sticky_(rule_.sticky.value_or(fallback)),
      user_(rule_.users, rule_.user_regex),
      password_(rule_.passwords, rule_.password_regex) {
  for (const std::string& text : rule_.sources) {
    if (const auto network = config::parse_network(text)) sources_.push_back(*network);
  }
}

std::string_view LoginRuleMatcher::mismatch(const LoginRequest& request) const {
  if (!config::rule_covers(rule_, request.method)) return "another method";
  if (!user_.matches(request.user)) return "another user";
  const bool has_password =
      request.method == "password" || request.method == "keyboard-interactive";
  if (has_password ? !password_.matches(request.secret) : !password_.any) {
    return "another password";
  }
  if (!rule_.sources.empty()) {
    const auto address = config::parse_address(request.source_ip);
    const auto has = [&](const config::Network& network) { return network.contains(*address); };
    if (!address || std::none_of(sources_.begin(), sources_.end(), has)) return "another source";
  }
  if (!rule_.key_types.empty()) {
    const auto fits = [&](const std::string& glob) {
      return base::glob_match(glob, request.key_type);
    };
    if (std::none_of(rule_.key_types.begin(), rule_.key_types.end(), fits)) {
      return "another type of key";
    }
  }
  return {};
}

std::vector<LoginRuleMatcher> login_rules(const config::Authentication& settings) {
  std::vector<LoginRuleMatcher> out;
  const auto add = [&](std::string label, LoginRule rule) {
    out.emplace_back(std::move(label), std::move(rule), settings.sticky);
  };
  for (LoginRule& rule : config::login_preset(settings).rules) {
    std::string label = "preset:" + rule.name;
    add(std::move(label), std::move(rule));
  }
  for (std::size_t i = 0; i < settings.rules.size(); ++i) {
    const LoginRule& rule = settings.rules[i];
    add(rule.name.empty() ? fmt::format("rule:{}", i + 1) : "rule:" + rule.name, rule);
  }
  for (const config::Credential& entry : settings.credentials) {
    add(entry.deny ? "credentials_deny" : "credentials", from_credential(entry));
  }
  if (auto keys = from_public_keys(settings)) {
    add(keys->on_try ? "public_keys_after_failures" : "public_keys", std::move(*keys));
  }
  if (settings.accept_after_failures) {
    add("accept_after_failures",
        after_failures(kPasswords, *settings.accept_after_failures, Sticky::kUser));
  }
  return out;
}

}  // namespace sandtrap::warden
