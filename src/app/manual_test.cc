#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/completion.h"

namespace sandtrap::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

CompletionTree tree_with(CompletionTree command) {
  CompletionTree tree;
  tree.name = "sandtrap";
  tree.commands.push_back(std::move(command));
  return tree;
}

TEST(Manual, ACommandInACommandHasItsWholePath) {
  CompletionTree outer{.name = "policy", .help = "The login policy"};
  outer.commands.push_back({.name = "test", .help = "Which rule decides"});
  const std::string text = manual_commands(tree_with(std::move(outer)));
  EXPECT_THAT(text, HasSubstr(".SS policy test\nWhich rule decides.\n"));
  EXPECT_THAT(text, Not(HasSubstr("The login policy")));
}

TEST(Manual, TextIsNeverARequestToTroff) {
  CompletionTree command{.name = "odd", .help = ".so /etc/passwd", .footer = "'x\n.y\\z a-b"};
  const std::string text = manual_commands(tree_with(std::move(command)));
  EXPECT_THAT(text, HasSubstr("\n\\&.so /etc/passwd.\n"));
  EXPECT_THAT(text, HasSubstr("\n\\&'x\n\\&.y\\ez a\\-b\n"));
}

TEST(Manual, AnOptionIsListedWithItsValueAndChoices) {
  CompletionTree command{.name = "serve", .help = "Run"};
  command.options.push_back({.names = {"--help"}, .help = "Help"});
  command.options.push_back({.names = {"--role"},
                             .help = "One of them",
                             .choices = {"gate", "warden"},
                             .value = "ROLE",
                             .takes_value = true});
  const std::string text = manual_commands(tree_with(std::move(command)));
  EXPECT_THAT(text, HasSubstr(".B \\-\\-role \\fIROLE\\fR\nOne of them.\nOne of gate, warden.\n"));
  EXPECT_THAT(text, Not(HasSubstr("help")));
}

}  // namespace
}  // namespace sandtrap::app
