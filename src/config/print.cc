// table.h: what is allowed, and the value of a setting as YAML.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

#include "config/login_rules.h"
#include "config/persona.h"
#include "config/table.h"
#include "config/value.h"

namespace sandtrap::config {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

std::string range(std::string_view what, const std::string& min, const std::string& max) {
  return fmt::format("{} from {} to {}", what, min, max);
}

std::string rule_text(TextRule rule) {
  switch (rule) {
    case TextRule::kAny:
      return "text";
    case TextRule::kPath:
      return "a path";
    case TextRule::kSystemSafe:
      return "a path that is no folder of the system itself";
    case TextRule::kAccount:
      return "a user name or number, not root";
    case TextRule::kName:
      return "a name of letters, digits, '.', '_' and '-'";
    case TextRule::kCapability:
      return "a Linux capability such as CHOWN";
    case TextRule::kForward:
      return "`TARGET OUTCOME`, the outcome one of refused, timed-out, no-route, unreachable, "
             "unknown-name, lookup-fails";
    case TextRule::kCaseKey:
      return "source, credential, client_key or hassh";
    case TextRule::kListen:
      return "\"ip:port\" or \"[ipv6]:port\"";
    case TextRule::kPersona:
      return fmt::format("{}, or the name of the one in persona_file",
                         fmt::join(compiled_personas(), ", "));
    case TextRule::kDocument:
      return "text";
  }
  return "text";
}

std::string print_list(const std::vector<std::string>& values) {
  std::vector<std::string> parts;
  for (const std::string& value : values) parts.push_back(yaml_text(value));
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

std::string print_credentials(const std::vector<Credential>& values) {
  std::vector<std::string> parts;
  for (const Credential& c : values) {
    parts.push_back(fmt::format("{{user: {}, password: {}{}}}", yaml_text(c.user),
                                yaml_text(c.password), c.deny ? ", deny: true" : ""));
  }
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

// Shortest text that reads back as the same number; never with an exponent.
std::string print_real(double value) {
  char text[400];  // the smallest double has that many digits
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed).ptr;
  return std::string(text, end);
}

std::string print_rule(const LoginRule& rule) {
  std::vector<std::string> parts;
  const auto text = [&parts](std::string_view key, const std::string& value) {
    if (!value.empty()) parts.push_back(fmt::format("{}: {}", key, yaml_text(value)));
  };
  const auto list = [&parts](std::string_view key, const std::vector<std::string>& values) {
    if (!values.empty()) parts.push_back(fmt::format("{}: {}", key, print_list(values)));
  };
  text("name", rule.name);
  list("user", rule.users);
  text("user_regex", rule.user_regex);
  list("password", rule.passwords);
  text("password_regex", rule.password_regex);
  list("method", rule.methods);
  list("source", rule.sources);
  list("key_type", rule.key_types);
  parts.emplace_back(rule.allow ? "action: allow" : "action: deny");
  if (rule.on_try) parts.push_back(fmt::format("on_try: {}", *rule.on_try));
  if (rule.probability) parts.push_back("probability: " + print_real(*rule.probability));
  if (rule.sticky) {
    parts.push_back(
        fmt::format("sticky: {}", sticky_names()[static_cast<std::size_t>(*rule.sticky)]));
  }
  return fmt::format("{{{}}}", fmt::join(parts, ", "));
}

std::string print_rules(const std::vector<LoginRule>& rules) {
  std::vector<std::string> parts;
  for (const LoginRule& rule : rules) parts.push_back(print_rule(rule));
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

std::string print_images(const std::vector<PoolImage>& images) {
  std::vector<std::string> parts;
  for (const PoolImage& one : images) {
    std::string text = fmt::format("{{name: {}", yaml_text(one.name));
    if (!one.image.empty()) text += ", image: " + yaml_text(one.image);
    text += fmt::format(", weight: {}", one.weight);
    if (!one.users.empty()) text += ", users: " + print_list(one.users);
    if (!one.sources.empty()) text += ", sources: " + print_list(one.sources);
    if (!one.personas.empty()) text += ", personas: " + print_list(one.personas);
    parts.push_back(text + "}");
  }
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

}  // namespace

std::string allowed(const Type& type) {
  return std::visit(
      Overloaded{
          [](const TextType& t) {
            if (t.choices.empty()) return rule_text(t.rule);
            return fmt::format("{}", fmt::join(t.choices, ", "));
          },
          [](const BoolType&) { return std::string("true or false"); },
          [](const CountType& t) {
            return fmt::format("a whole number from {} to {}", t.min, t.max);
          },
          [](const OptionalCountType& t) {
            return fmt::format("a whole number from {} to {}, or false", t.min, t.max);
          },
          [](const RealType& t) { return fmt::format("a number from {} to {}", t.min, t.max); },
          [](const SizeType& t) {
            return range("a size such as 256MiB,", format_size(t.min), format_size(t.max));
          },
          [](const SecondsType& t) {
            return range("a duration in whole seconds such as 60s, 5m or 24h,",
                         format_duration(t.min), format_duration(t.max));
          },
          [](const MillisecondsType& t) {
            return range("a duration such as 1500ms or 60s,", format_duration(t.min),
                         format_duration(t.max));
          },
          [](const TextListType& t) {
            return fmt::format("a list of {} to {} items, each {}", t.min, t.max,
                               rule_text(t.rule));
          },
          [](const StartupsType&) {
            return std::string("\"start:rate:full\" such as \"10:30:100\", or one number");
          },
          [](const PublicKeysType&) {
            return fmt::format("{}", fmt::join(public_keys_names(), ", "));
          },
          [](const StickyType&) { return fmt::format("{}", fmt::join(sticky_names(), ", ")); },
          [](const LoginRulesType&) {
            return std::string(
                "a list of up to 1000 {name, user, user_regex, password, password_regex, method, "
                "source, key_type, action: allow or deny, on_try, probability, sticky}");
          },
          [](const PoolImagesType&) {
            return std::string(
                "a list of up to 16 {name, image, weight: 1 to 1000, users: globs, sources: "
                "networks, personas: globs}");
          },
          [](const CredentialsType&) {
            return std::string("a list of {user: TEXT, password: TEXT, deny: true or false}");
          },
      },
      type);
}

std::string print(const Type& type, const Settings& settings) {
  Settings copy = settings;  // the table's accessors give mutable references
  const auto number = [&copy](const auto& t) { return fmt::format("{}", t.get(copy)); };
  const auto duration = [&copy](const auto& t) { return format_duration(t.get(copy)); };
  return std::visit(
      Overloaded{
          [&](const TextType& t) { return yaml_text(t.get(copy)); },
          [&](const BoolType& t) { return std::string(t.get(copy) ? "true" : "false"); },
          [&](const CountType& t) { return number(t); },
          [&](const RealType& t) { return number(t); },
          [&](const OptionalCountType& t) {
            const auto& value = t.get(copy);
            return value ? fmt::format("{}", *value) : std::string("false");
          },
          [&](const SizeType& t) { return format_size(t.get(copy)); },
          [&](const SecondsType& t) { return duration(t); },
          [&](const MillisecondsType& t) { return duration(t); },
          [&](const TextListType& t) { return print_list(t.get(copy)); },
          [&](const StartupsType& t) {
            return fmt::format("\"{}\"", format_max_startups(t.get(copy)));
          },
          [&](const PublicKeysType& t) {
            return std::string(public_keys_names()[static_cast<std::size_t>(t.get(copy))]);
          },
          [&](const StickyType& t) {
            return std::string(sticky_names()[static_cast<std::size_t>(t.get(copy))]);
          },
          [&](const LoginRulesType& t) { return print_rules(t.get(copy)); },
          [&](const PoolImagesType& t) { return print_images(t.get(copy)); },
          [&](const CredentialsType& t) { return print_credentials(t.get(copy)); },
      },
      type);
}

}  // namespace sandtrap::config
