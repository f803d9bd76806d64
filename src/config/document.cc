#include "config/document.h"

#include <fmt/format.h>

#include "config/table.h"

namespace sandtrap::config {
namespace {

std::string_view derived(const Key& key) {
  const auto* text = std::get_if<TextType>(&key.type);
  return text == nullptr ? std::string_view() : text->derived;
}

// A setting whose default is worked out from others has none to write.
bool is_left_out(const Key& key, const Settings& settings) {
  return !derived(key).empty() && print(key.type, settings) == "\"\"";
}

std::string comment(std::string_view text, std::size_t indent) {
  constexpr std::size_t kWidth = 96;
  const std::string start = std::string(indent, ' ') + "#";
  std::string out, line = start;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    if (line.size() + 1 + word.size() > kWidth && line.size() > start.size()) {
      out += line + "\n";
      line = start;
    }
    line.append(" ").append(word);
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  return out + line + "\n";
}

std::string markdown_cell(std::string_view text) {
  std::string out;
  bool code = false;
  for (const char c : text) {
    if (c == '`') code = !code;
    if (c == '|') out.push_back('\\');
    if (c == '<' && !code) {
      out += "&lt;";
    } else if (c == '*' && !code) {
      out += "\\*";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace

std::string dump(const Settings& settings, Audience audience) {
  std::string out, section;
  for (const Key& key : keys()) {
    if (audience == Audience::kGate ? !key.gate_may_know : key.only_for_gate) continue;
    if (is_left_out(key, settings)) continue;
    if (key.section != section) out += fmt::format("{}:\n", section = key.section);
    out +=
        fmt::format("{}{}: {}\n", section.empty() ? "" : "  ", key.name, print(key.type, settings));
  }
  return out;
}

std::string example_file() {
  const Settings defaults;
  std::string out =
      "# SandTrap: every setting, each with its default, so an empty file means the same as this "
      "one.\n# Unknown keys, wrong types and values out of range are refused; try: sandtrap check "
      "FILE\n# Durations: 1500ms 60s 5m 24h 30d, or a plain number of seconds. "
      "Sizes: 512k 256MiB 1GiB, or bytes.\n";
  for (const Section& section : sections()) {
    const std::size_t indent = section.name.empty() ? 0 : 2;
    out += fmt::format("\n# ---- {}\n", section.help);
    if (indent > 0) out += fmt::format("{}:\n", section.name);
    bool first = true;
    for (const Key& key : keys()) {
      if (key.section != section.name || key.only_for_gate || key.internal) continue;
      if (!std::exchange(first, false)) out += "\n";
      out += comment(key.help, indent);
      out += comment(fmt::format("Allowed: {}.", allowed(key.type)), indent);
      const std::string pad(indent, ' ');
      if (is_left_out(key, defaults)) {
        out += comment(fmt::format("Default: {}.", derived(key)), indent);
        out += fmt::format("{}# {}:\n", pad, key.name);
      } else {
        out += fmt::format("{}{}: {}\n", pad, key.name, print(key.type, defaults));
      }
    }
  }
  return out;
}

std::string reference_document() {
  const Settings defaults;
  std::string out =
      "# Configuration\n\n"
      "One YAML file; `sandtrap check FILE` validates it. An unknown or duplicate key, a wrong "
      "type or a value out of range is refused with `file:line:column: what, and what is "
      "allowed`, all of them at once, and `sandtrap serve` exits with status 78. Anchors, aliases "
      "and tags of YAML are not supported.\n\n"
      "Durations are written `1500ms`, `60s`, `5m`, `24h`, `30d`, or as a plain number of "
      "seconds. Sizes are written `512k`, `256MiB`, `1GiB`, or as a plain number of bytes; units "
      "are powers of 1024.\n\n"
      "`config/config.example.yaml` holds every setting with its default. Settings marked † are "
      "never given to the gate, the process that faces the internet.\n\n"
      "This file and the example are made from the table in `src/config/table.cc` by "
      "`sandtrap config-doc`; a test fails if they differ.\n";
  for (const Section& section : sections()) {
    out += section.name.empty() ? std::string("\n## Top level\n\n")
                                : fmt::format("\n## `{}`\n\n", section.name);
    out += fmt::format("{}\n\n| key | default | allowed | meaning |\n|---|---|---|---|\n",
                       section.help);
    for (const Key& key : keys()) {
      if (key.section != section.name || key.only_for_gate || key.internal) continue;
      const std::string value = is_left_out(key, defaults)
                                    ? markdown_cell(derived(key))
                                    : fmt::format("`{}`", print(key.type, defaults));
      out += fmt::format("| `{}`{} | {} | {} | {} |\n", key.name, key.gate_may_know ? "" : " †",
                         value, markdown_cell(allowed(key.type)), markdown_cell(key.help));
    }
  }
  return out;
}

std::vector<std::string> changed_keys(const Settings& before, const Settings& after) {
  std::vector<std::string> out;
  for (const Key& key : keys()) {
    if (print(key.type, before) != print(key.type, after)) out.push_back(key.path());
  }
  return out;
}

}  // namespace sandtrap::config
