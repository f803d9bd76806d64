// completion.h: the table out of CLI11.
#include <CLI/CLI.hpp>

#include "cli/completion.h"

namespace sandtrap::cli {
namespace {

// IsMember says what it allows behind the type's name: "ROLE:{gate,warden,scribe}".
std::vector<std::string> choices_in(const std::string& type) {
  std::vector<std::string> out;
  const std::size_t begin = type.find('{'), end = type.rfind('}');
  if (begin == std::string::npos || end == std::string::npos || end < begin) return out;
  std::string word;
  for (const char c : type.substr(begin + 1, end - begin)) {
    if (c != ',' && c != '}') {
      word += c;
    } else if (!word.empty()) {
      out.push_back(std::move(word));
      word.clear();
    }
  }
  return out;
}

CompletionWord word_of(const CLI::Option& option) {
  CompletionWord word;
  for (const std::string& name : option.get_lnames()) word.names.push_back("--" + name);
  for (const std::string& name : option.get_snames()) word.names.push_back("-" + name);
  word.help = option.get_description();
  const std::string type = option.get_type_name();
  word.choices = choices_in(type);
  word.value = type.substr(0, type.find_first_of(":{ "));
  word.takes_value = option.get_items_expected_max() > 0;
  word.is_file = type.find("FILE") == 0 || type.find("DIR") == 0;
  return word;
}

}  // namespace

CompletionTree completion_tree(const CLI::App& app) {
  CompletionTree tree;
  tree.name = app.get_name();
  tree.help = app.get_description();
  tree.footer = app.get_footer();
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    (option->get_positional() ? tree.positionals : tree.options).push_back(word_of(*option));
  }
  const auto shown = [](const CLI::App* command) { return !command->get_group().empty(); };
  for (const CLI::App* command : app.get_subcommands(shown)) {
    tree.commands.push_back(completion_tree(*command));
  }
  return tree;
}

}  // namespace sandtrap::cli
