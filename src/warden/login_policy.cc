#include "warden/login_policy.h"

#include <algorithm>
#include <cstring>

#include "crypto/hash.h"
#include "warden/user_name.h"

namespace sandtrap::warden {

bool glob_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;  // let the last star take one byte more
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

LoginPolicy::LoginPolicy(const config::Authentication& settings, std::uint64_t seed)
    : settings_(settings),
      seed_(seed),
      table_(settings.max_tracked_sources, settings.failure_memory) {}

void LoginPolicy::configure(const config::Authentication& settings) {
  settings_ = settings;
  table_.configure(settings.max_tracked_sources, settings.failure_memory);
}

Fingerprint LoginPolicy::fingerprint(std::string_view text) const {
  crypto::Hash hash(crypto::HashName::kSha256);
  hash.update_u32(static_cast<std::uint32_t>(seed_ >> 32));
  hash.update_u32(static_cast<std::uint32_t>(seed_));
  hash.update(base::as_bytes(text));
  const crypto::Digest digest = hash.finish();
  Fingerprint out{};
  std::memcpy(out.data(), digest.bytes.data(), out.size());
  return out;
}

const config::Credential* LoginPolicy::match(const LoginRequest& request) const {
  for (const config::Credential& entry : settings_.credentials) {
    const bool any_password = entry.deny && entry.password.empty();
    if (glob_match(entry.user, request.user) &&
        (any_password || glob_match(entry.password, request.secret))) {
      return &entry;
    }
  }
  return nullptr;
}

bool LoginPolicy::enough_failures(const SourceKey& source, base::Instant now) const {
  return settings_.accept_after_failures &&
         table_.failures(source, now) >= *settings_.accept_after_failures;
}

LoginDecision LoginPolicy::decide(const SourceKey& source, const LoginRequest& request,
                                  base::Instant now) {
  if (request.method == "publickey") return decide_key(source, request, now);
  const bool interactive = request.method == "keyboard-interactive";
  if (request.method != "password" && !(interactive && settings_.keyboard_interactive)) {
    return {false, "method"};
  }
  const LoginDecision decision = decide_password(source, request, now);
  if (decision.accepted) {
    table_.forget_failures(source);
  } else {
    table_.add_failure(source, now);
  }
  return decision;
}

LoginDecision LoginPolicy::decide_password(const SourceKey& source, const LoginRequest& request,
                                           base::Instant now) {
  if (!is_possible_user(request.user)) return {false, "user_name"};
  if (request.secret.empty()) return {false, "empty_password"};
  const auto& denied = settings_.deny_passwords;
  if (std::find(denied.begin(), denied.end(), request.secret) != denied.end()) {
    return {false, "deny_passwords"};
  }
  if (const config::Credential* entry = match(request)) {
    return entry->deny ? LoginDecision{false, "credentials_deny"}
                       : LoginDecision{true, "credentials"};
  }
  const Fingerprint user = fingerprint(request.user);
  const auto earned = table_.earned(source, user, now);
  if (earned && earned->password == fingerprint(request.secret)) return {true, "returning"};
  if (!enough_failures(source, now)) return {false, earned ? "other_password" : "no_match"};
  table_.earn(source, EarnedLogin{user, fingerprint(request.secret), now}, now);
  return {true, "accept_after_failures"};
}

LoginDecision LoginPolicy::decide_key(const SourceKey& source, const LoginRequest& request,
                                      base::Instant now) const {
  if (!is_possible_user(request.user)) return {false, "user_name"};
  switch (settings_.public_keys) {
    case config::Authentication::PublicKeys::kAccept:
      return {true, "public_keys"};
    case config::Authentication::PublicKeys::kAcceptAfterFailures:
      return {enough_failures(source, now), "public_keys_after_failures"};
    case config::Authentication::PublicKeys::kRefuse:
      break;
  }
  return {false, "public_keys"};
}

}  // namespace sandtrap::warden
