#include "config/map_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "config/value.h"

namespace sandtrap::config {
namespace {

const Node kEmpty;

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace

MapReader::MapReader(const Node& node, std::string what, Problems& problems)
    : node_(node), what_(std::move(what)), problems_(problems) {
  if (node.kind != Node::Kind::kMap && node.kind != Node::Kind::kNull) {
    wrong(node, fmt::format("{} must consist of `key: value` lines", what_));
  }
}

void MapReader::wrong(const Node& at, std::string text) {
  problems_.add(at, std::move(text));
}

const Node* MapReader::find(std::string_view name, Need need) {
  names_.push_back(name);
  for (std::size_t i = 0; i < node_.keys.size(); ++i) {
    const Node& key = node_.keys[i];
    if (key.kind != Node::Kind::kScalar || key.text != name) continue;
    if (node_.items[i].kind != Node::Kind::kNull) return &node_.items[i];
    wrong(key, fmt::format("{} has no value", name));
    return nullptr;
  }
  if (need == Need::kRequired) wrong(node_, fmt::format("{} lacks the key {}", what_, name));
  return nullptr;
}

const Node* MapReader::scalar(std::string_view name, Need need) {
  const Node* value = find(name, need);
  if (value == nullptr || value->kind == Node::Kind::kScalar) return value;
  wrong(*value, fmt::format("{} must be a single value", name));
  return nullptr;
}

const Node* MapReader::text(std::string_view name, std::string& out, std::size_t max, Need need) {
  const Node* value = scalar(name, need);
  if (value == nullptr) return nullptr;
  if (value->text.size() > max || has_control(value->text)) {
    wrong(*value, fmt::format("{} is not allowed; allowed: at most {} bytes without control "
                              "characters",
                              name, max));
    return nullptr;
  }
  out = value->text;
  return value;
}

const Node* MapReader::flag(std::string_view name, bool& out) {
  const Node* value = scalar(name, Need::kOptional);
  if (value == nullptr) return nullptr;
  if (value->quoted || (value->text != "true" && value->text != "false")) {
    wrong(*value, fmt::format("{} is neither true nor false", name));
    return nullptr;
  }
  out = value->text == "true";
  return value;
}

const Node* MapReader::count(std::string_view name, std::uint64_t& out, std::uint64_t min,
                             std::uint64_t max) {
  const Node* value = scalar(name, Need::kOptional);
  if (value == nullptr) return nullptr;
  const auto number = parse_whole(value->text);
  if (!number || *number < min || *number > max) {
    wrong(*value, fmt::format("{} {}; allowed: a whole number from {} to {}", name,
                              number ? "is out of range" : number.error().context, min, max));
    return nullptr;
  }
  out = *number;
  return value;
}

const Node* MapReader::count(std::string_view name, std::uint32_t& out, std::uint32_t min,
                             std::uint32_t max) {
  std::uint64_t wide = out;
  const Node* value = count(name, wide, std::uint64_t{min}, std::uint64_t{max});
  out = static_cast<std::uint32_t>(wide);
  return value;
}

const Node* MapReader::duration(std::string_view name, std::chrono::milliseconds& out,
                                std::chrono::milliseconds max) {
  const Node* value = scalar(name, Need::kOptional);
  if (value == nullptr) return nullptr;
  const auto parsed = parse_duration(value->text);
  if (!parsed || *parsed > max) {
    wrong(*value,
          fmt::format("{} {}; allowed: a duration such as 1500ms or 60s, at most {}", name,
                      parsed ? "is too long" : parsed.error().context, format_duration(max)));
    return nullptr;
  }
  out = *parsed;
  return value;
}

const Node* MapReader::items(std::string_view name, std::size_t max_items, Need need) {
  const Node* value = find(name, need);
  if (value == nullptr) return nullptr;
  if (value->kind != Node::Kind::kSequence || value->items.size() > max_items) {
    wrong(*value, fmt::format("{} must be a list of at most {} entries", name, max_items));
    return nullptr;
  }
  return value;
}

const Node* MapReader::texts(std::string_view name, std::vector<std::string>& out,
                             std::size_t max_items, std::size_t max_text, Need need) {
  const Node* list = items(name, max_items, need);
  if (list == nullptr) return nullptr;
  out.clear();
  for (const Node& item : list->items) {
    if (item.kind != Node::Kind::kScalar || item.text.size() > max_text || has_control(item.text)) {
      wrong(item, fmt::format("an entry of {} must be text of at most {} bytes", name, max_text));
      return nullptr;
    }
    out.push_back(item.text);
  }
  return list;
}

MapReader MapReader::section(std::string_view name) {
  const Node* value = find(name, Need::kOptional);
  return MapReader(value == nullptr ? kEmpty : *value, fmt::format("section {}", name), problems_);
}

void MapReader::finish() {
  for (const Node& key : node_.keys) {
    if (key.kind != Node::Kind::kScalar) continue;
    if (std::find(names_.begin(), names_.end(), key.text) != names_.end()) continue;
    const std::string_view guess = nearest(key.text, names_);
    wrong(key, guess.empty()
                   ? fmt::format("unknown key {} in {}; allowed: {}", quoted_for_people(key.text),
                                 what_, fmt::join(names_, ", "))
                   : fmt::format("unknown key {} in {}; did you mean {}?",
                                 quoted_for_people(key.text), what_, guess));
  }
}

}  // namespace sandtrap::config
