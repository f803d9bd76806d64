// sandtrap policy test: which login rule decides, and why.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "app/configuration.h"
#include "cli/commands.h"
#include "cli/json_output.h"
#include "config/network.h"
#include "config/value.h"
#include "warden/login_policy.h"

namespace sandtrap::cli {
namespace json = boost::json;
namespace {

// Any: the lots of `probability` are those of an attacker who does not exist.
constexpr std::uint64_t kSeed = 1;
constexpr std::string_view kCase = "policy test";

using Step = warden::LoginExplanation::Step;

struct Tried {
  std::vector<warden::LoginDecision> tries;
  std::vector<Step> why;  // of the last
  bool draws = false;     // lots for `probability` were drawn
  bool accepted() const { return tries.back().accepted; }
};

Tried try_it(const config::Authentication& rules, const PolicyTestOptions& options) {
  Tried out;
  warden::LoginPolicy policy(rules, kSeed);
  const warden::LoginRequest request{options.user,   options.method,   options.password,   true,
                                     options.source, options.key_type, "SHA256:of the key"};
  const base::Instant now{};
  for (std::uint32_t number = 1; number <= options.tries; ++number) {
    out.why = policy.explain(kCase, request, now).steps;
    out.tries.push_back(policy.decide(kCase, request, now));
  }
  out.draws = std::any_of(rules.rules.begin(), rules.rules.end(),
                          [](const auto& rule) { return rule.probability.has_value(); });
  return out;
}

json::object to_json(const Tried& tried) {
  json::array tries, why;
  for (const warden::LoginDecision& one : tried.tries) {
    tries.emplace_back(json::object{{"accepted", one.accepted}, {"decided_by", one.decided_by}});
  }
  for (const Step& step : tried.why) {
    why.emplace_back(json::object{{"rule", step.rule}, {"why", step.why}});
  }
  return {{"accepted", tried.accepted()},
          {"decided_by", tried.tries.back().decided_by},
          {"tries", std::move(tries)},
          {"why", std::move(why)},
          {"draws_lots", tried.draws}};
}

void print_steps(const std::vector<Step>& steps) {
  std::size_t width = 0;
  for (const auto& step : steps) width = std::max(width, step.rule.size());
  for (const auto& step : steps) fmt::print("  {:<{}}  {}\n", step.rule, width, step.why);
}

void print(const Tried& tried) {
  std::size_t number = 0;
  for (const warden::LoginDecision& one : tried.tries) {
    fmt::print("try {:<4} {}  {}\n", ++number, one.accepted ? "let in " : "refused",
               one.decided_by);
  }
  fmt::print("\nWhy, of try {}:\n", number);
  print_steps(tried.why);
  if (!tried.draws) return;
  fmt::print("\nLots for `probability` differ from attacker to attacker; these are an example.\n");
}

}  // namespace

int test_policy(const PolicyTestOptions& options) {
  const auto settings = app::read_configuration(options.config);
  if (!settings) return kBadConfig;
  if (!config::parse_address(options.source)) {
    fmt::print(stderr, "sandtrap: --source {}: not an address\n",
               config::quoted_for_people(options.source));
    return kUsage;
  }
  const Tried tried = try_it(settings->authentication, options);
  if (options.json) {
    print_json(to_json(tried));
  } else {
    print(tried);
  }
  return tried.accepted() ? kOk : kFailed;
}

}  // namespace sandtrap::cli
