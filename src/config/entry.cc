#include "config/entry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "config/value.h"

namespace sandtrap::config {

Entry::Entry(const Node& node, std::string where, Problems& problems)
    : node_(node), where_(std::move(where)), problems_(problems) {
  if (!good()) wrong(node_, "is not {key: value, …}");
}

const Node* Entry::find(std::string_view name) {
  known_.push_back(name);
  for (std::size_t i = 0; i < node_.keys.size(); ++i) {
    const Node& key = node_.keys[i];
    if (key.kind == Node::Kind::kScalar && key.text == name) return &node_.items[i];
  }
  return nullptr;
}

void Entry::wrong(const Node& at, std::string_view what) {
  problems_.add(at, fmt::format("{}: {}", where_, what));
}

// `offset` bytes into a value: exact unless the value is written with escapes or over many lines.
void Entry::wrong_at(const Node& at, std::size_t offset, std::string_view what) {
  const int column = at.column + (at.quoted ? 1 : 0) + static_cast<int>(offset);
  problems_.add(at.line, column, fmt::format("{}: {}", where_, what));
}

bool Entry::scalar(const Node& node, std::string_view name) {
  if (node.kind == Node::Kind::kScalar) return true;
  wrong(node, node.kind == Node::Kind::kNull
                  ? fmt::format("{} has no value (write \"\" or \"null\" in quotes)", name)
                  : fmt::format("{} is not a single value", name));
  return false;
}

std::vector<const Node*> Entry::scalars(std::string_view name, std::size_t most) {
  std::vector<const Node*> out;
  const Node* value = find(name);
  if (value == nullptr) return out;
  if (value->kind != Node::Kind::kSequence) {
    if (scalar(*value, name)) out.push_back(value);
    return out;
  }
  if (value->items.empty() || value->items.size() > most) {
    wrong(*value, fmt::format("{} has {} items; allowed: one value or a list of 1 to {}", name,
                              value->items.size(), most));
    return out;
  }
  for (const Node& item : value->items) {
    if (scalar(item, name)) out.push_back(&item);
  }
  return out;
}

void Entry::text(std::string_view name, TextRule rule, std::string& out) {
  const Node* value = find(name);
  if (value == nullptr || !scalar(*value, name)) return;
  std::string text = value->text;
  if (const std::string why = check_text(rule, text); !why.empty()) {
    return wrong(*value, fmt::format("{} {}", name, why));
  }
  out = std::move(text);
}

// A pattern for a password may be empty and hold any byte; kAny is not checked further.
void Entry::texts(std::string_view name, TextRule rule, std::size_t most,
                  std::vector<std::string>& out) {
  constexpr std::size_t kMaxPattern = 1024;
  for (const Node* value : scalars(name, most)) {
    std::string text = value->text;
    std::string why;
    if (rule != TextRule::kAny) {
      why = check_text(rule, text);
    } else if (text.size() > kMaxPattern) {
      why = fmt::format("is longer than {} bytes", kMaxPattern);
    }
    if (!why.empty()) wrong(*value, fmt::format("{} {}", name, why));
    out.push_back(std::move(text));
  }
}

void Entry::count(std::string_view name, std::uint32_t min, std::uint32_t max,
                  std::optional<std::uint32_t>& out) {
  const Node* value = find(name);
  if (value == nullptr || !scalar(*value, name)) return;
  const auto number = parse_whole(value->text);
  if (value->quoted || !number || *number < min || *number > max) {
    return wrong(*value, fmt::format("{} is {}; allowed: a whole number from {} to {}", name,
                                     quoted_for_people(value->text), min, max));
  }
  out = static_cast<std::uint32_t>(*number);
}

void Entry::real(std::string_view name, double min, double max, std::optional<double>& out) {
  const Node* value = find(name);
  if (value == nullptr || !scalar(*value, name)) return;
  const auto number = parse_real(value->text);
  if (value->quoted || !number || *number < min || *number > max) {
    return wrong(*value, fmt::format("{} is {}; allowed: a number from {} to {}", name,
                                     quoted_for_people(value->text), min, max));
  }
  out = *number;
}

std::optional<std::size_t> Entry::choice(std::string_view name,
                                         const std::vector<std::string_view>& choices) {
  const Node* value = find(name);
  if (value == nullptr || !scalar(*value, name)) return std::nullopt;
  const auto found = std::find(choices.begin(), choices.end(), value->text);
  if (found == choices.end()) {
    wrong(*value, fmt::format("{} is {}; allowed: {}", name, quoted_for_people(value->text),
                              fmt::join(choices, ", ")));
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - choices.begin());
}

void Entry::choices(std::string_view name, const std::vector<std::string_view>& choices,
                    std::vector<std::string>& out) {
  for (const Node* value : scalars(name, choices.size())) {
    if (std::find(choices.begin(), choices.end(), value->text) == choices.end()) {
      wrong(*value, fmt::format("{} is {}; allowed: {}", name, quoted_for_people(value->text),
                                fmt::join(choices, ", ")));
    }
    out.push_back(value->text);
  }
}

void Entry::finish() {
  for (const Node& key : node_.keys) {
    if (key.kind != Node::Kind::kScalar) continue;  // reported when the tree was built
    if (std::find(known_.begin(), known_.end(), key.text) != known_.end()) continue;
    const std::string_view guess = nearest(key.text, known_);
    wrong(key, guess.empty() ? fmt::format("unknown key {}; allowed: {}",
                                           quoted_for_people(key.text), fmt::join(known_, ", "))
                             : fmt::format("unknown key {}; did you mean {}?",
                                           quoted_for_people(key.text), guess));
  }
}

}  // namespace sandtrap::config
