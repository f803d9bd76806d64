// Shell completion, generated from the command line's own table, so that it cannot drift.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace sandtrap::app {

struct CompletionWord {
  std::vector<std::string> names;    // "--config", "-h"; of a positional empty
  std::string help;                  // one line
  std::vector<std::string> choices;  // of its value
  bool takes_value = false, is_file = false;
};
struct CompletionTree {
  std::string name, help;
  std::vector<CompletionWord> options, positionals;
  std::vector<CompletionTree> commands;
};

CompletionTree completion_tree(const CLI::App& app);  // without what is hidden

std::string bash_completion(const CompletionTree& tree);
std::string zsh_completion(const CompletionTree& tree);
std::string fish_completion(const CompletionTree& tree);
std::string completion_of(std::string_view shell, const CompletionTree& tree);

}  // namespace sandtrap::app
