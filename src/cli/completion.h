// Shell completion and the manual page's commands, generated from the command line's own table, so
// that they cannot drift.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace sandtrap::cli {

struct CompletionWord {
  std::vector<std::string> names;    // "--config", "-h"; of a positional empty
  std::string help;                  // one line
  std::vector<std::string> choices;  // of its value
  std::string value;                 // its name: FILE
  bool takes_value = false, is_file = false;
};
struct CompletionTree {
  std::string name, help, footer;
  std::vector<CompletionWord> options, positionals;
  std::vector<CompletionTree> commands;
};

CompletionTree completion_tree(const CLI::App& app);  // without what is hidden

std::string bash_completion(const CompletionTree& tree);
std::string zsh_completion(const CompletionTree& tree);
std::string fish_completion(const CompletionTree& tree);
std::string completion_of(std::string_view shell, const CompletionTree& tree);

// The section COMMANDS of sandtrap(8), in man(7)'s language.
std::string manual_commands(const CompletionTree& tree);

}  // namespace sandtrap::cli
