#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/completion.h"

namespace sandtrap::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

CompletionTree tree_with(CompletionTree command) {
  CompletionTree tree;
  tree.name = "sandtrap";
  tree.commands.push_back(std::move(command));
  return tree;
}

CompletionTree command_named(std::string name, std::string help) {
  CompletionTree tree;
  tree.name = std::move(name);
  tree.help = std::move(help);
  return tree;
}

TEST(Manual, ACommandInACommandHasItsWholePath) {
  CompletionTree outer = command_named("policy", "The login policy");
  outer.commands.push_back(command_named("test", "Which rule decides"));
  const std::string text = manual_commands(tree_with(std::move(outer)));
  EXPECT_THAT(text, HasSubstr(".SS policy test\nWhich rule decides.\n"));
  EXPECT_THAT(text, Not(HasSubstr("The login policy")));
}

TEST(Manual, TextIsNeverARequestToTroff) {
  CompletionTree command = command_named("odd", ".so /etc/passwd");
  command.footer = "'x\n.y\\z a-b";
  const std::string text = manual_commands(tree_with(std::move(command)));
  EXPECT_THAT(text, HasSubstr("\n\\&.so /etc/passwd.\n"));
  EXPECT_THAT(text, HasSubstr("\n\\&'x\n\\&.y\\ez a\\-b\n"));
}

TEST(Manual, AnOptionIsListedWithItsValueAndChoices) {
  CompletionTree command = command_named("serve", "Run");
  CompletionWord help;
  help.names = {"--help"};
  CompletionWord role;
  role.names = {"--role"};
  role.help = "One of them";
  role.choices = {"gate", "warden"};
  role.value = "ROLE";
  role.takes_value = true;
  command.options = {help, role};
  const std::string text = manual_commands(tree_with(std::move(command)));
  EXPECT_THAT(text, HasSubstr(".B \\-\\-role \\fIROLE\\fR\nOne of them.\nOne of gate, warden.\n"));
  EXPECT_THAT(text, Not(HasSubstr("help")));
}

}  // namespace
}  // namespace sandtrap::cli
