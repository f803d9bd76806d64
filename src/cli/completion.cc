#include "cli/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>

namespace sandtrap::cli {
namespace {

// In single quotes, for every shell of the three.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

// Calls `visit` for the tree and everything below, with the words that lead there.
using Visit = std::function<void(const std::string& path, const CompletionTree& tree)>;
void walk(const CompletionTree& tree, const std::string& path, const Visit& visit) {
  visit(path, tree);
  for (const CompletionTree& command : tree.commands) {
    walk(command, path.empty() ? command.name : path + " " + command.name, visit);
  }
}

std::vector<std::string> all_names(const CompletionTree& tree) {
  std::vector<std::string> out;
  for (const CompletionTree& command : tree.commands) out.push_back(command.name);
  for (const CompletionWord& word : tree.positionals) {
    out.insert(out.end(), word.choices.begin(), word.choices.end());
  }
  for (const CompletionWord& word : tree.options) {
    out.insert(out.end(), word.names.begin(), word.names.end());
  }
  return out;
}

bool takes_files(const CompletionTree& tree) {
  return std::any_of(tree.positionals.begin(), tree.positionals.end(),
                     [](const CompletionWord& word) { return word.is_file; });
}

}  // namespace

std::string bash_completion(const CompletionTree& tree) {
  std::string commands, values, words;
  walk(tree, "", [&](const std::string& path, const CompletionTree& one) {
    if (!path.empty()) commands += fmt::format("      {}) at={} ;;\n", quoted(path), quoted(path));
    words += fmt::format("    {}) words={}{} ;;\n", quoted(path),
                         quoted(fmt::format("{}", fmt::join(all_names(one), " "))),
                         takes_files(one) ? " files=1" : "");
    for (const CompletionWord& option : one.options) {
      if (!option.takes_value) continue;
      for (const std::string& name : option.names) {
        values += fmt::format("    {}) ", quoted(path + " " + name));
        values += option.is_file
                      ? "files=1"
                      : fmt::format("words={}",
                                    quoted(fmt::format("{}", fmt::join(option.choices, " "))));
        values += " value=1 ;;\n";
      }
    }
  });
  return fmt::format(
      "# bash completion of sandtrap; made by `sandtrap completion bash`\n"
      "_sandtrap() {{\n"
      "  local at='' word words='' files='' value='' i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    word=${{COMP_WORDS[i]}}\n"
      "    case \"${{at:+$at }}$word\" in\n"
      "{}"
      "    esac\n"
      "  done\n"
      "  case \"$at ${{COMP_WORDS[COMP_CWORD-1]}}\" in\n"
      "{}"
      "  esac\n"
      "  [ -n \"$value\" ] || case \"$at\" in\n"
      "{}"
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"${{COMP_WORDS[COMP_CWORD]}}\"))\n"
      "  [ -z \"$files\" ] || COMPREPLY+=($(compgen -f -- \"${{COMP_WORDS[COMP_CWORD]}}\"))\n"
      "}}\n"
      "complete -o filenames -F _sandtrap sandtrap\n",
      commands, values, words);
}

std::string zsh_completion(const CompletionTree& tree) {
  // A colon parts a word from its help in what _describe takes.
  const auto entry = [](std::string name, std::string_view help) {
    std::string out;
    for (const char c : name) {
      if (c == ':') out += '\\';
      out += c;
    }
    return quoted(fmt::format("{}:{}", out, help));
  };
  std::string commands, values, words;
  walk(tree, "", [&](const std::string& path, const CompletionTree& one) {
    if (!path.empty()) commands += fmt::format("      {}) at={} ;;\n", quoted(path), quoted(path));
    std::vector<std::string> list;
    for (const CompletionTree& command : one.commands) {
      list.push_back(entry(command.name, command.help));
    }
    for (const CompletionWord& word : one.positionals) {
      for (const std::string& choice : word.choices) list.push_back(entry(choice, ""));
    }
    for (const CompletionWord& option : one.options) {
      for (const std::string& name : option.names) list.push_back(entry(name, option.help));
      if (!option.takes_value) continue;
      for (const std::string& name : option.names) {
        std::string take = "return 0";
        if (option.is_file) take = "_files; return";
        if (!option.choices.empty()) {
          take = fmt::format("compadd -- {}; return", fmt::join(option.choices, " "));
        }
        values += fmt::format("    {}) {} ;;\n", quoted(path + " " + name), take);
      }
    }
    words += fmt::format("    {}) list=({}){} ;;\n", quoted(path), fmt::join(list, " "),
                         takes_files(one) ? " files=1" : "");
  });
  return fmt::format(
      "#compdef sandtrap\n"
      "# zsh completion of sandtrap; made by `sandtrap completion zsh`\n"
      "_sandtrap() {{\n"
      "  local at='' files='' i\n"
      "  local -a list\n"
      "  for ((i = 2; i < CURRENT; i++)); do\n"
      "    case \"${{at:+$at }}${{words[i]}}\" in\n"
      "{}"
      "    esac\n"
      "  done\n"
      "  case \"$at ${{words[CURRENT-1]}}\" in\n"
      "{}"
      "  esac\n"
      "  case \"$at\" in\n"
      "{}"
      "  esac\n"
      "  _describe sandtrap list\n"
      "  [ -z \"$files\" ] || _files\n"
      "}}\n"
      "if [ \"$funcstack[1]\" = _sandtrap ]; then _sandtrap \"$@\"; else compdef _sandtrap "
      "sandtrap; fi\n",
      commands, values, words);
}

std::string fish_completion(const CompletionTree& tree) {
  std::string out =
      "# fish completion of sandtrap; made by `sandtrap completion fish`\n"
      "function __sandtrap_at\n"
      "  set -l at\n"
      "  for word in (commandline -opc)[2..]\n"
      "    switch \"$at $word\"\n";
  walk(tree, "", [&out](const std::string& path, const CompletionTree&) {
    if (path.empty()) return;
    // Of "a b": " a" leads to " a", then " a b" to " a b".
    out +=
        fmt::format("      case {}\n        set at {}\n", quoted(" " + path), quoted(" " + path));
  });
  out +=
      "    end\n"
      "  end\n"
      "  test \"$at\" = \"$argv[1]\"\n"
      "end\n"
      "complete -c sandtrap -f\n";
  walk(tree, "", [&out](const std::string& path, const CompletionTree& one) {
    const std::string here =
        quoted(fmt::format("__sandtrap_at \"{}\"", path.empty() ? "" : " " + path));
    for (const CompletionTree& command : one.commands) {
      out += fmt::format("complete -c sandtrap -n {} -a {} -d {}\n", here, command.name,
                         quoted(command.help));
    }
    for (const CompletionWord& word : one.positionals) {
      if (!word.choices.empty()) {
        out += fmt::format("complete -c sandtrap -n {} -a {}\n", here,
                           quoted(fmt::format("{}", fmt::join(word.choices, " "))));
      }
      if (word.is_file) out += fmt::format("complete -c sandtrap -n {} -F\n", here);
    }
    for (const CompletionWord& option : one.options) {
      out += fmt::format("complete -c sandtrap -n {}", here);
      for (const std::string& name : option.names) {
        const bool is_long = name.starts_with("--");
        out += fmt::format(" -{} {}", is_long ? "l" : "s", name.substr(is_long ? 2 : 1));
      }
      if (option.takes_value) out += option.is_file ? " -r -F" : " -x";
      if (!option.choices.empty()) {
        out += fmt::format(" -a {}", quoted(fmt::format("{}", fmt::join(option.choices, " "))));
      }
      out += fmt::format(" -d {}\n", quoted(option.help));
    }
  });
  return out;
}

std::string completion_of(std::string_view shell, const CompletionTree& tree) {
  if (shell == "bash") return bash_completion(tree);
  return shell == "zsh" ? zsh_completion(tree) : fish_completion(tree);
}

}  // namespace sandtrap::cli
