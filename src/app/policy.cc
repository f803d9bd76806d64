// sandtrap policy test: which login rule decides, and why.
#include <fmt/format.h>

#include <algorithm>

#include "app/commands.h"
#include "app/configuration.h"
#include "config/network.h"
#include "config/value.h"
#include "warden/login_policy.h"

namespace sandtrap::app {
namespace {

// Any: the lots of `probability` are those of an attacker who does not exist.
constexpr std::uint64_t kSeed = 1;
constexpr std::string_view kCase = "policy test";

void print_steps(const std::vector<warden::LoginExplanation::Step>& steps) {
  std::size_t width = 0;
  for (const auto& step : steps) width = std::max(width, step.rule.size());
  for (const auto& step : steps) fmt::print("  {:<{}}  {}\n", step.rule, width, step.why);
}

}  // namespace

int test_policy(const PolicyTestOptions& options) {
  const auto settings = read_configuration(options.config);
  if (!settings) return kBadConfig;
  const config::Authentication& rules = settings->authentication;
  if (!config::parse_address(options.source)) {
    fmt::print(stderr, "sandtrap: --source {}: not an address\n",
               config::quoted_for_people(options.source));
    return kUsage;
  }
  warden::LoginPolicy policy(rules, kSeed);
  warden::LoginRequest request{options.user,   options.method,   options.password,   true,
                               options.source, options.key_type, "SHA256:of the key"};
  const base::Instant now{};
  warden::LoginExplanation last;
  for (std::uint32_t number = 1; number <= options.tries; ++number) {
    last = policy.explain(kCase, request, now);
    const warden::LoginDecision decision = policy.decide(kCase, request, now);
    fmt::print("try {:<4} {}  {}\n", number, decision.accepted ? "let in " : "refused",
               decision.decided_by);
  }
  fmt::print("\nWhy, of try {}:\n", options.tries);
  print_steps(last.steps);
  const bool draws = std::any_of(rules.rules.begin(), rules.rules.end(),
                                 [](const auto& rule) { return rule.probability.has_value(); });
  if (draws) {
    fmt::print(
        "\nLots for `probability` differ from attacker to attacker; these are an example.\n");
  }
  return last.decision.accepted ? kOk : kFailed;
}

}  // namespace sandtrap::app
