#include "ssh/forwarding.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/glob.h"
#include "ssh/auth_delay.h"

namespace sandtrap::ssh {
namespace {

struct OutcomeRow {
  ForwardOutcome outcome;
  std::string_view name;  // in rules
  std::string_view text;  // strerror(3) or gai_strerror(3), as sshd sends it
};
constexpr std::array<OutcomeRow, 6> kOutcomes = {{
    {ForwardOutcome::kRefused, "refused", "Connection refused"},
    {ForwardOutcome::kTimedOut, "timed-out", "Connection timed out"},
    {ForwardOutcome::kNoRoute, "no-route", "No route to host"},
    {ForwardOutcome::kUnreachable, "unreachable", "Network is unreachable"},
    {ForwardOutcome::kUnknownName, "unknown-name", "Name or service not known"},
    {ForwardOutcome::kLookupFails, "lookup-fails", "Temporary failure in name resolution"},
}};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_ipv4(std::string_view host) {
  return std::count(host.begin(), host.end(), '.') == 3 && is_digit(host.front()) &&
         is_digit(host.back()) &&
         std::all_of(host.begin(), host.end(), [](char c) { return is_digit(c) || c == '.'; });
}

bool is_ipv6(std::string_view host) {
  return host.find(':') != std::string_view::npos;
}

// A resolver says no without asking anybody.
bool is_no_name(std::string_view host) {
  const auto part = [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_';
  };
  return host.empty() || host.size() > 253 || !std::all_of(host.begin(), host.end(), part);
}

// Names that no public name server knows: without a dot, or below a top level that does not exist.
bool is_unresolvable(std::string_view host) {
  if (is_ipv4(host) || is_ipv6(host)) return false;
  if (is_no_name(host)) return true;
  const std::size_t dot = host.rfind('.', host.size() - 2);
  if (dot == std::string_view::npos) return true;
  constexpr std::string_view kNowhere[] = {".invalid",  ".test", ".example",
                                           ".local",    ".lan",  ".onion",
                                           ".internal", ".home", ".localdomain"};
  std::string top(host.substr(dot));
  if (top.back() == '.') top.pop_back();
  std::transform(top.begin(), top.end(), top.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return std::find(std::begin(kNowhere), std::end(kNowhere), top) != std::end(kNowhere);
}

bool applies(const ForwardRule& rule, std::string_view host, std::uint32_t port) {
  if (rule.target == "localhost") return is_this_host(host);
  if (rule.target == "ipv6") return is_ipv6(host);
  if (rule.target == "address") return is_ipv4(host) || is_ipv6(host);
  if (rule.target == "unresolvable") return is_unresolvable(host);
  return base::glob_match(rule.target, host) ||
         base::glob_match(rule.target, fmt::format("{}:{}", host, port));
}

const OutcomeRow& row(ForwardOutcome outcome) {
  return *std::find_if(kOutcomes.begin(), kOutcomes.end(),
                       [outcome](const OutcomeRow& r) { return r.outcome == outcome; });
}

// The name that sshd resolves is looked up before anything is connected.
base::Duration lookup_time(ForwardOutcome outcome, const ForwardTiming& timing,
                           std::string_view host, base::Entropy& entropy) {
  if (is_this_host(host) || is_ipv4(host) || is_ipv6(host) || is_no_name(host)) return {};
  if (outcome == ForwardOutcome::kLookupFails) {
    return random_delay(timing.failed_lookup_min, timing.failed_lookup_max, entropy);
  }
  return random_delay(timing.lookup_min, timing.lookup_max, entropy);
}

}  // namespace

bool is_this_host(std::string_view host) {
  return host == "localhost" || host == "::1" || host == "0.0.0.0" || host == "::" ||
         (host.starts_with("127.") && is_ipv4(host));
}

std::optional<ForwardRule> parse_forward_rule(std::string_view text) {
  const std::size_t space = text.rfind(' ');
  if (space == std::string_view::npos || space == 0) return std::nullopt;
  const std::string_view name = text.substr(space + 1);
  const auto found = std::find_if(kOutcomes.begin(), kOutcomes.end(),
                                  [name](const OutcomeRow& r) { return r.name == name; });
  if (found == kOutcomes.end()) return std::nullopt;
  return ForwardRule{std::string(text.substr(0, space)), found->outcome};
}

ForwardVerdict judge_forward(const std::vector<ForwardRule>& rules, const ForwardTiming& timing,
                             std::string_view host, std::uint32_t port, base::Entropy& entropy) {
  ForwardVerdict verdict;
  // connect(2) itself refuses these (EACCES, EINVAL), which sshd does not explain.
  if (host == "255.255.255.255" || host.starts_with("fe80:")) {
    verdict.text = "open failed";
    return verdict;
  }
  ForwardOutcome outcome =
      is_no_name(host) && !is_ipv6(host) ? ForwardOutcome::kUnknownName : ForwardOutcome::kTimedOut;
  if (outcome == ForwardOutcome::kTimedOut) {
    const auto rule = std::find_if(rules.begin(), rules.end(),
                                   [&](const ForwardRule& r) { return applies(r, host, port); });
    if (rule != rules.end()) outcome = rule->outcome;
  }
  verdict.text = row(outcome).text;
  verdict.lookup = lookup_time(outcome, timing, host, entropy);
  if (outcome == ForwardOutcome::kTimedOut) {
    verdict.connect = random_delay(timing.timeout_min, timing.timeout_max, entropy);
  } else if (outcome == ForwardOutcome::kNoRoute) {
    verdict.connect = random_delay(timing.no_route_min, timing.no_route_max, entropy);
  } else if (outcome == ForwardOutcome::kRefused && !is_this_host(host)) {
    verdict.connect =
        random_delay(timing.lookup_min, timing.lookup_max, entropy);  // one round trip
  }
  return verdict;
}

}  // namespace sandtrap::ssh
