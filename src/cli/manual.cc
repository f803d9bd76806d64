// completion.h: the commands as man(7) wants them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>

#include "cli/completion.h"

namespace sandtrap::cli {
namespace {

// A dash that stays one when it is copied, a backslash as itself, and no line that begins a
// request.
std::string troff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool begins = out.empty() || out.back() == '\n';
    if (begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '-') {
      out += "\\-";
    } else if (c == '\\') {
      out += "\\e";
    } else {
      out += c;
    }
  }
  return out;
}

std::string sentence(std::string text) {
  if (!text.empty() && text.back() != '.' && text.back() != ':') text += '.';
  return troff(text);
}

std::string entry(const CompletionWord& word) {
  std::vector<std::string> names;
  for (const std::string& name : word.names) names.push_back(troff(name));
  std::string out = ".TP\n";
  if (names.empty()) {
    out += fmt::format(".I {}", troff(word.value));
  } else {
    out += fmt::format(".B {}", fmt::join(names, ", "));
    if (word.takes_value) out += fmt::format(" \\fI{}\\fR", troff(word.value));
  }
  out += "\n" + sentence(word.help) + "\n";
  const bool told = std::all_of(word.choices.begin(), word.choices.end(), [&](const auto& choice) {
    return word.help.find(choice) != std::string::npos;
  });
  if (!told)
    out += fmt::format("One of {}.\n", troff(fmt::format("{}", fmt::join(word.choices, ", "))));
  return out;
}

void describe(const CompletionTree& tree, const std::string& path, std::string& out) {
  if (!tree.commands.empty()) {
    for (const CompletionTree& command : tree.commands) {
      describe(command, path.empty() ? command.name : path + " " + command.name, out);
    }
    return;
  }
  out += ".SS " + troff(path);
  for (const CompletionWord& word : tree.positionals)
    out += fmt::format(" \\fI{}\\fR", troff(word.value));
  out += "\n" + sentence(tree.help) + "\n";
  for (const CompletionWord& word : tree.positionals) out += entry(word);
  for (const CompletionWord& word : tree.options) {
    const auto has = [&](const char* name) {
      return std::find(word.names.begin(), word.names.end(), name) != word.names.end();
    };
    if (!has("--help") && !has("--help-all")) out += entry(word);
  }
  if (!tree.footer.empty()) out += fmt::format(".PP\n.nf\n{}\n.fi\n", troff(tree.footer));
}

}  // namespace

std::string manual_commands(const CompletionTree& tree) {
  std::string out;
  describe(tree, "", out);
  return out;
}

}  // namespace sandtrap::cli
