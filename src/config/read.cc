// table.h: one value from its node into its member.
#include <fmt/format.h>

#include <algorithm>

#include "config/login_rules.h"
#include "config/read_rules.h"
#include "config/table.h"
#include "config/value.h"

namespace sandtrap::config {
namespace {

constexpr std::size_t kMaxSecret = 1024;     // a user name or password on the wire
constexpr std::size_t kMaxEntries = 10'000;  // credentials

std::string_view kind_name(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return "has no value";
    case Node::Kind::kSequence:
      return "is a list";
    case Node::Kind::kMap:
      return "is a section";
    case Node::Kind::kScalar:
      return "is a single value";
  }
  return "";
}

// Reads one key; holds what every reader needs.
class Reader {
 public:
  Reader(const Key& key, const Node& node, Settings& out, Problems& problems)
      : key_(key), node_(node), out_(out), problems_(problems) {}

  void operator()(const TextType& t) {
    if (!scalar(node_)) return;
    std::string text = node_.text;
    if (text.empty() && !t.derived.empty()) return t.get(out_).clear();
    if (!t.choices.empty()) {
      if (std::find(t.choices.begin(), t.choices.end(), text) == t.choices.end()) {
        return wrong(node_, "is not known");
      }
    } else if (const std::string why = check_text(t.rule, text); !why.empty()) {
      return wrong(node_, why);
    }
    t.get(out_) = std::move(text);
  }

  void operator()(const BoolType& t) {
    if (!scalar(node_)) return;
    if (node_.quoted || (node_.text != "true" && node_.text != "false")) {
      return wrong(node_, "is neither true nor false");
    }
    t.get(out_) = node_.text == "true";
  }

  void operator()(const CountType& t) {
    if (const auto value = count(t.min, t.max)) t.get(out_) = *value;
  }

  void operator()(const OptionalCountType& t) {
    if (node_.kind == Node::Kind::kScalar && !node_.quoted && node_.text == "false") {
      t.get(out_).reset();
    } else if (const auto value = count(t.min, t.max)) {
      t.get(out_) = *value;
    }
  }

  void operator()(const RealType& t) {
    if (!plain(node_)) return;
    const auto value = parse_real(node_.text);
    if (!value) return wrong(node_, value.error().context);
    if (*value < t.min || *value > t.max) return wrong(node_, "is out of range");
    t.get(out_) = *value;
  }

  void operator()(const SizeType& t) {
    if (!scalar(node_)) return;
    const auto value = parse_size(node_.text);
    if (!value) return wrong(node_, value.error().context);
    if (*value < t.min || *value > t.max) return wrong(node_, "is out of range");
    t.get(out_) = *value;
  }

  void operator()(const SecondsType& t) {
    const auto value = duration(t.min, t.max);
    if (!value) return;
    if (*value % std::chrono::seconds(1) != std::chrono::milliseconds(0)) {
      return wrong(node_, "is not in whole seconds");
    }
    t.get(out_) = std::chrono::duration_cast<std::chrono::seconds>(*value);
  }

  void operator()(const MillisecondsType& t) {
    if (const auto value = duration(t.min, t.max)) t.get(out_) = *value;
  }

  void operator()(const StartupsType& t) {
    if (!scalar(node_)) return;
    const auto value = parse_max_startups(node_.text);
    if (!value) return wrong(node_, value.error().context);
    t.get(out_) = *value;
  }

  void operator()(const PublicKeysType& t) {
    if (!scalar(node_)) return;
    const auto names = public_keys_names();
    const auto found = std::find(names.begin(), names.end(), node_.text);
    if (found == names.end()) return wrong(node_, "is not known");
    t.get(out_) = static_cast<Authentication::PublicKeys>(found - names.begin());
  }

  void operator()(const StickyType& t) {
    if (!scalar(node_)) return;
    const auto names = sticky_names();
    const auto found = std::find(names.begin(), names.end(), node_.text);
    if (found == names.end()) return wrong(node_, "is not known");
    t.get(out_) = static_cast<Sticky>(found - names.begin());
  }

  void operator()(const LoginRulesType& t) {
    if (node_.kind != Node::Kind::kSequence) return wrong(node_, "is not a list");
    if (node_.items.size() > kMaxLoginRules) {
      return wrong(node_, fmt::format("has more than {} items", kMaxLoginRules));
    }
    t.get(out_) = read_rules(node_, problems_);
  }

  void operator()(const PoolImagesType& t) {
    if (node_.kind != Node::Kind::kSequence) return wrong(node_, "is not a list");
    if (node_.items.size() > kMaxPoolImages) {
      return wrong(node_, fmt::format("has more than {} items", kMaxPoolImages));
    }
    t.get(out_) = read_images(node_, problems_);
  }

  void operator()(const TextListType& t) {
    if (node_.kind != Node::Kind::kSequence) return wrong(node_, "is not a list");
    if (node_.items.size() < t.min || node_.items.size() > t.max) {
      return wrong(node_, fmt::format("has {} items", node_.items.size()));
    }
    std::vector<std::string> values;
    bool good = true;
    for (const Node& item : node_.items) {
      std::string text = item.text;
      std::string why = item.kind == Node::Kind::kScalar ? check_text(t.rule, text)
                                                         : std::string(kind_name(item));
      if (why.empty() && std::find(values.begin(), values.end(), text) != values.end()) {
        why = "is in the list twice";
      }
      if (!why.empty()) wrong(item, why);
      good = good && why.empty();
      values.push_back(std::move(text));
    }
    if (good) t.get(out_) = std::move(values);
  }

  void operator()(const CredentialsType& t) {
    if (node_.kind != Node::Kind::kSequence) return wrong(node_, "is not a list");
    if (node_.items.size() > kMaxEntries) {
      return wrong(node_, fmt::format("has more than {} items", kMaxEntries));
    }
    std::vector<Credential> values;
    for (const Node& item : node_.items) values.push_back(credential(item));
    t.get(out_) = std::move(values);
  }

 private:
  // Values of secrets never reach a message: only credentials have any, and `hide` is set there.
  void wrong(const Node& where, std::string_view why, bool hide = false) {
    const bool show = !hide && where.kind == Node::Kind::kScalar;
    const std::string value = show ? quoted_for_people(where.text) + " " : std::string();
    problems_.add(
        where, fmt::format("{}: {}{}; allowed: {}", key_.path(), value, why, allowed(key_.type)));
  }

  bool scalar(const Node& node) {
    if (node.kind == Node::Kind::kScalar) return true;
    wrong(node, kind_name(node));
    return false;
  }
  bool plain(const Node& node) {
    if (!scalar(node)) return false;
    if (!node.quoted) return true;
    wrong(node, "is text; write it without quotes");
    return false;
  }

  std::optional<std::uint32_t> count(std::uint32_t min, std::uint32_t max) {
    if (!plain(node_)) return std::nullopt;
    const auto value = parse_whole(node_.text);
    const bool fits = value && *value >= min && *value <= max;
    if (!fits) wrong(node_, value ? std::string("is out of range") : value.error().context);
    return fits ? std::optional(static_cast<std::uint32_t>(*value)) : std::nullopt;
  }

  std::optional<std::chrono::milliseconds> duration(std::chrono::milliseconds min,
                                                    std::chrono::milliseconds max) {
    if (!scalar(node_)) return std::nullopt;
    const auto value = parse_duration(node_.text);
    const bool fits = value && *value >= min && *value <= max;
    if (!fits) wrong(node_, value ? std::string("is out of range") : value.error().context);
    return fits ? std::optional(*value) : std::nullopt;
  }

  Credential credential(const Node& item) {
    Credential out;
    if (item.kind != Node::Kind::kMap) {
      wrong(item, "an entry that is not {user, password}", true);
      return out;
    }
    bool user = false, password = false, deny = false;
    for (std::size_t i = 0; i < item.keys.size(); ++i) {
      const Node& key = item.keys[i];
      const Node& value = item.items[i];
      if (key.kind != Node::Kind::kScalar) continue;  // reported when the tree was built
      if (key.text == "user" || key.text == "password") {
        (key.text == "user" ? user : password) = true;
        (key.text == "user" ? out.user : out.password) = secret(value, key.text);
      } else if (key.text == "deny") {
        deny = true;
        out.deny = value.text == "true";
        const bool known = out.deny || value.text == "false";
        if (value.quoted || !known) wrong(value, "deny is neither true nor false", true);
      } else {
        wrong(key, "is not a key of a credential");
      }
    }
    if (!user) wrong(item, "an entry without a user", true);
    if (!password && out.deny) out.password = "*";
    if (!password && !deny) wrong(item, "an entry without a password", true);
    return out;
  }

  std::string secret(const Node& value, std::string_view name) {
    if (value.kind == Node::Kind::kNull) {
      wrong(value, fmt::format("{} has no value (write \"\" or \"null\" in quotes)", name), true);
    } else if (value.kind != Node::Kind::kScalar) {
      wrong(value, fmt::format("{} {}", name, kind_name(value)), true);
    } else if (value.text.size() > kMaxSecret) {
      wrong(value, fmt::format("{} is longer than {} bytes", name, kMaxSecret), true);
    }
    return value.text;
  }

  const Key& key_;
  const Node& node_;
  Settings& out_;
  Problems& problems_;
};

}  // namespace

void read(const Key& key, const Node& node, Settings& out, Problems& problems) {
  std::visit(Reader(key, node, out, problems), key.type);
}

}  // namespace sandtrap::config
