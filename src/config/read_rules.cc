// table.h: login rules and images from their nodes.
#include "config/read_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/entry.h"
#include "config/login_rules.h"
#include "config/network.h"
#include "config/pattern.h"

namespace sandtrap::config {
namespace {

constexpr std::size_t kMaxAlternatives = 1000;
constexpr std::uint32_t kMaxTry = 1'000'000;

// The reason names no part of a password's pattern: it may be one that works.
void regex(Entry& entry, std::string_view name, std::string& out) {
  const Node* value = entry.find(name);
  if (value == nullptr) return;
  if (value->kind != Node::Kind::kScalar || value->text.empty()) {
    return entry.wrong(*value, fmt::format("{} is not a regular expression", name));
  }
  const auto compiled = Regex::compile(value->text);
  if (!compiled) {
    const Regex::Fault& fault = compiled.error();
    return entry.wrong_at(*value, fault.offset,
                          fmt::format("{}: {}, at character {} of the expression; allowed: the "
                                      "syntax of RE2",
                                      name, fault.what, fault.offset + 1));
  }
  out = value->text;
}

void networks(Entry& entry, std::string_view name, std::vector<std::string>& out) {
  const Node* value = entry.find(name);
  if (value == nullptr) return;
  entry.texts(name, TextRule::kAny, kMaxAlternatives, out);
  const bool list = value->kind == Node::Kind::kSequence;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const Node& at = list && i < value->items.size() ? value->items[i] : *value;
    const auto network = parse_network(out[i]);
    if (!network) {
      entry.wrong(at, fmt::format("{} {}; allowed: 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32", name,
                                  network.error().context));
    }
  }
}

// Rules that could never match, or not the way they read.
void check_sense(Entry& entry, const LoginRule& rule) {
  const auto both = [&](std::string_view glob, const auto& globs, const std::string& expression) {
    if (!globs.empty() && !expression.empty()) {
      entry.wrong(entry.node(), fmt::format("{} and {}_regex exclude each other", glob, glob));
    }
  };
  both("user", rule.users, rule.user_regex);
  both("password", rule.passwords, rule.password_regex);
  const auto covers = [&](std::string_view method) {
    return std::find(rule.methods.begin(), rule.methods.end(), method) != rule.methods.end();
  };
  const bool about_password = !rule.passwords.empty() || !rule.password_regex.empty();
  if (about_password && (covers("publickey") || covers("none") || !rule.key_types.empty())) {
    entry.wrong(entry.node(),
                "a key and `none` come without a password; allowed: method password "
                "or keyboard-interactive");
  }
  if (!rule.key_types.empty() && !rule.methods.empty() &&
      (rule.methods.size() > 1 || !covers("publickey"))) {
    entry.wrong(entry.node(),
                "only a key has a key_type; allowed: method publickey, or none given");
  }
  if (!rule.allow && (rule.on_try || rule.sticky)) {
    entry.wrong(entry.node(),
                "on_try and sticky are about letting someone in; allowed: with "
                "action allow");
  }
}

LoginRule read_rule(const Node& node, std::size_t number, Problems& problems) {
  LoginRule rule;
  Entry entry(node, fmt::format("authentication.rules[{}]", number), problems);
  if (!entry.good()) return rule;
  entry.text("name", TextRule::kName, rule.name);
  entry.texts("user", TextRule::kAny, kMaxAlternatives, rule.users);
  regex(entry, "user_regex", rule.user_regex);
  entry.texts("password", TextRule::kAny, kMaxAlternatives, rule.passwords);
  regex(entry, "password_regex", rule.password_regex);
  entry.choices("method", {"password", "keyboard-interactive", "publickey", "none"}, rule.methods);
  networks(entry, "source", rule.sources);
  entry.texts("key_type", TextRule::kAny, kMaxAlternatives, rule.key_types);
  const auto action = entry.choice("action", {"deny", "allow"});
  rule.allow = action == 1U;
  entry.count("on_try", 1, kMaxTry, rule.on_try);
  entry.real("probability", 0, 1, rule.probability);
  if (const auto sticky = entry.choice("sticky", sticky_names())) {
    rule.sticky = static_cast<Sticky>(*sticky);
  }
  entry.finish();
  const bool given = std::any_of(node.keys.begin(), node.keys.end(),
                                 [](const Node& key) { return key.text == "action"; });
  if (!given) entry.wrong(node, "has no action; allowed: action: allow or action: deny");
  check_sense(entry, rule);
  return rule;
}

}  // namespace

std::vector<LoginRule> read_rules(const Node& node, Problems& problems) {
  std::vector<LoginRule> rules;
  for (const Node& item : node.items) {
    rules.push_back(read_rule(item, rules.size() + 1, problems));
    const std::string& name = rules.back().name;
    const auto same = std::find_if(rules.begin(), rules.end(),
                                   [&](const LoginRule& other) { return other.name == name; });
    if (!name.empty() && same != rules.end() - 1) {
      problems.add(item, fmt::format("authentication.rules[{}]: a rule with this name came before; "
                                     "events name rules, so each needs its own",
                                     rules.size()));
    }
  }
  return rules;
}

std::vector<PoolImage> read_images(const Node& node, Problems& problems) {
  constexpr std::uint32_t kMaxWeight = 1000;
  std::vector<PoolImage> images;
  for (const Node& item : node.items) {
    PoolImage image;
    Entry entry(item, fmt::format("container_pool.images[{}]", images.size() + 1), problems);
    if (!entry.good()) continue;
    entry.text("name", TextRule::kName, image.name);
    entry.text("image", TextRule::kAny, image.image);
    std::optional<std::uint32_t> weight;
    entry.count("weight", 1, kMaxWeight, weight);
    image.weight = weight.value_or(1);
    entry.texts("users", TextRule::kAny, kMaxAlternatives, image.users);
    networks(entry, "sources", image.sources);
    entry.texts("personas", TextRule::kAny, kMaxAlternatives, image.personas);
    entry.finish();
    if (image.name.empty()) entry.wrong(item, "has no name; allowed: name: NAME");
    for (const PoolImage& other : images) {
      if (other.name == image.name) entry.wrong(item, "an image with this name came before");
    }
    images.push_back(std::move(image));
  }
  return images;
}

}  // namespace sandtrap::config
