#include "warden/login_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "crypto/hash.h"
#include "warden/user_name.h"

namespace sandtrap::warden {
namespace {

using config::Sticky;

bool is_password(std::string_view method) {
  return method == "password" || method == "keyboard-interactive";
}

std::string_view secret_of(const LoginRequest& request) {
  return request.method == "publickey" ? request.key_fingerprint : request.secret;
}

void note(std::vector<LoginExplanation::Step>* steps, std::string_view rule, std::string why) {
  if (steps != nullptr) steps->push_back({std::string(rule), std::move(why)});
}

}  // namespace

struct LoginPolicy::Attempt {
  std::string_view record;
  const LoginRequest& request;
  std::uint32_t failures;
  std::vector<EarnedLogin> earned;
  EarnedLogin mine;

  bool is_earned() const {
    return std::any_of(earned.begin(), earned.end(), [this](const EarnedLogin& login) {
      return login.key == mine.key && login.user == mine.user && login.secret == mine.secret;
    });
  }
  bool user_is_earned() const {
    return std::any_of(earned.begin(), earned.end(), [this](const EarnedLogin& login) {
      return login.key == mine.key && login.user == mine.user;
    });
  }
  bool anybody_is_earned() const {
    return std::any_of(earned.begin(), earned.end(),
                       [this](const EarnedLogin& login) { return login.key == mine.key; });
  }
};

LoginPolicy::LoginPolicy(const config::Authentication& settings, std::uint64_t seed)
    : settings_(settings),
      seed_(seed),
      rules_(login_rules(settings)),
      records_(settings.max_tracked_sources, settings.max_earned, settings.failure_memory) {}

void LoginPolicy::configure(const config::Authentication& settings) {
  settings_ = settings;
  rules_ = login_rules(settings);
  records_.configure(settings.max_tracked_sources, settings.max_earned, settings.failure_memory);
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

EarnedLogin LoginPolicy::login_of(const LoginRequest& request) const {
  return EarnedLogin{fingerprint(request.user),
                     fingerprint(secret_of(request)),
                     request.method == "publickey",
                     {}};
}

// A number from 0 to 1 that depends on the rule, the attacker and the login alone: no table is
// needed to give the same answer again.
double LoginPolicy::lot(const LoginRuleMatcher& rule, const Attempt& attempt) const {
  crypto::Hash hash(crypto::HashName::kSha256);
  hash.update_u32(static_cast<std::uint32_t>(seed_ >> 32));
  hash.update_u32(static_cast<std::uint32_t>(seed_));
  for (const std::string_view part :
       {std::string_view("lot"), std::string_view(rule.label()), attempt.record,
        attempt.request.user, secret_of(attempt.request)}) {
    hash.update_string(base::as_bytes(part));
  }
  const crypto::Digest digest = hash.finish();
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 6; ++i) value = value << 8 | digest.bytes[i];
  return static_cast<double>(value) / static_cast<double>(std::uint64_t{1} << 48);
}

// What a rule whose fixed conditions are met still lacks; "" if it decides.
std::string LoginPolicy::unmet(const LoginRuleMatcher& rule, const Attempt& attempt) const {
  const auto& on_try = rule.rule().on_try;
  const std::uint64_t number = std::uint64_t{attempt.failures} + 1;
  if (on_try && number < *on_try) {
    return fmt::format("from try {} on, this is try {}", *on_try, number);
  }
  if (rule.rule().probability) {
    const double drawn = lot(rule, attempt);
    if (drawn >= *rule.rule().probability) {
      return fmt::format("probability {}, the lot of this login is {:.3f}",
                         *rule.rule().probability, drawn);
    }
  }
  return {};
}

// Whether what was earned decides in the place of a rule that would let in.
std::optional<LoginPolicy::Verdict> LoginPolicy::by_memory(const LoginRuleMatcher& rule,
                                                           const Attempt& attempt) const {
  const bool asks = rule.sticky() == Sticky::kUser || rule.sticky() == Sticky::kCase;
  if (!rule.rule().allow || !asks || attempt.request.method == "none") return std::nullopt;
  if (attempt.is_earned()) return Verdict{true, "returning", true};
  if (attempt.user_is_earned()) return Verdict{false, "other_password", false};
  if (rule.sticky() == Sticky::kCase && attempt.anybody_is_earned()) {
    return Verdict{false, "other_login", false};
  }
  return std::nullopt;
}

LoginPolicy::Verdict LoginPolicy::judge_by_rules(const Attempt& attempt, Steps* steps) const {
  for (const LoginRuleMatcher& rule : rules_) {
    if (const auto why = rule.mismatch(attempt.request); !why.empty()) {
      note(steps, rule.label(), fmt::format("does not apply: {}", why));
      continue;
    }
    if (const auto verdict = by_memory(rule, attempt)) {
      note(steps, rule.label(), "applies, but what was earned before decides");
      note(steps, verdict->by,
           verdict->accepted ? "this login was let in before" : "another login was let in before");
      return *verdict;
    }
    if (const std::string why = unmet(rule, attempt); !why.empty()) {
      note(steps, rule.label(), "does not apply: " + why);
      continue;
    }
    note(steps, rule.label(), rule.rule().allow ? "lets in" : "refuses");
    const bool earns = rule.rule().allow && rule.sticky() != Sticky::kNone;
    return {rule.rule().allow, rule.label(), earns && attempt.request.method != "none"};
  }
  if (attempt.request.method != "none" && attempt.user_is_earned()) {
    const bool same = attempt.is_earned();
    note(steps, same ? "returning" : "other_password", "no rule applies; something was earned");
    return {same, same ? "returning" : "other_password", same};
  }
  note(steps, "no_match", "no rule applies: refused");
  return {false, "no_match", false};
}

LoginPolicy::Verdict LoginPolicy::judge(std::string_view record, const LoginRequest& request,
                                        base::Instant now, Steps* steps) const {
  const auto refuse = [&](std::string_view by, const char* why) {
    note(steps, by, why);
    return Verdict{false, by, false};
  };
  const bool known = request.method == "password" || request.method == "publickey" ||
                     request.method == "none" ||
                     (request.method == "keyboard-interactive" && settings_.keyboard_interactive);
  if (!known) return refuse("method", "this server does not know the method: refused");
  if (!is_possible_user(request.user)) {
    return refuse("user_name", "no account can have this name: refused");
  }
  const bool empty = is_password(request.method) && request.secret.empty();
  LoginRequest asked = request;
  if (empty) asked.method = "none";  // sshd asks PAM the same question for both
  if (is_password(asked.method)) {
    const auto& denied = settings_.deny_passwords;
    if (std::find(denied.begin(), denied.end(), request.secret) != denied.end()) {
      return refuse("deny_passwords", "the password is one that never works: refused");
    }
  }
  const Attempt attempt{record, asked, records_.failures(record, now), records_.earned(record, now),
                        login_of(asked)};
  const Verdict verdict = judge_by_rules(attempt, steps);
  if (empty && !verdict.accepted) return refuse("empty_password", "an empty password: refused");
  return verdict;
}

LoginDecision LoginPolicy::decide(std::string_view record, const LoginRequest& request,
                                  base::Instant now) {
  const Verdict verdict = judge(record, request, now, nullptr);
  LoginDecision decision{verdict.accepted, std::string(verdict.by), false};
  if (verdict.by == "method") return decision;
  if (is_password(request.method)) {
    if (verdict.accepted) {
      records_.forget_failures(record);
    } else {
      records_.add_failure(record, now);
    }
    decision.remembered = true;
  }
  // An accepted key without proof is the answer to a question, not a login (RFC 4252 §7).
  const bool question = request.method == "publickey" && !request.key_proven;
  if (verdict.accepted && verdict.earns && !question) {
    records_.earn(record, login_of(request), now);
    decision.remembered = true;
    // What a stranger's first try may log in with is nobody's find: it must not lead him here.
    decision.earned = !judge("", request, now, nullptr).accepted;
  }
  return decision;
}

LoginExplanation LoginPolicy::explain(std::string_view record, const LoginRequest& request,
                                      base::Instant now) const {
  LoginExplanation out;
  const Verdict verdict = judge(record, request, now, &out.steps);
  out.decision = {verdict.accepted, std::string(verdict.by), false};
  return out;
}

}  // namespace sandtrap::warden
