#include "sandbox/guest_login.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sandtrap::sandbox {
namespace {

std::string decode(std::string_view text) {  // as guest/arguments.c does
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      out.push_back(static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16)));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

TEST(GuestLogin, AnyCommandSurvivesAsPrintableAscii) {
  EXPECT_TRUE(rc::check([](std::string command) {
    std::erase(command, '\0');
    if (command.size() % 16 == 15) {  // beyond one argument
      while (command.size() < 100000) command += "\xff" + command;
    }
    ProcessSpec spec;
    spec.kind = ProcessKind::kExec;
    spec.command = command;
    const auto argv = guest_login_arguments(spec);
    RC_ASSERT(argv.has_value());
    std::string joined;
    for (const std::string& argument : *argv) {
      RC_ASSERT(argument.size() < 131072U);
      for (const char c : argument) RC_ASSERT(c > 0x20 && c < 0x7f);
      if (argument.starts_with("command=")) joined += decode(argument.substr(8));
    }
    RC_ASSERT(joined == command);
  }));
}

TEST(GuestLogin, TerminalAndEnvironment) {
  ProcessSpec spec;
  spec.terminal = Terminal{"xterm-256color", 120, 40, 1, 2, {53, 0, 0, 0, 1, 0}};
  spec.env = {{"LANG", "C"}};
  const auto argv = guest_login_arguments(spec);
  const std::vector<std::string> expected = {
      std::string(kGuestLogin), "kind=shell",         "user=root", "term=xterm-256color",
      "size=120x40x1x2",        "modes=350000000100", "env=LANG=C"};
  ASSERT_TRUE(argv);
  EXPECT_EQ(*argv, expected);
}

TEST(GuestLogin, RefusesWhatNoProcessCanBeGiven) {
  ProcessSpec spec;
  spec.kind = ProcessKind::kExec;
  spec.command = std::string("a\0b", 3);
  EXPECT_EQ(guest_login_arguments(spec).error().code, base::Errc::kInvalid);
  spec.command = "true";
  spec.user = "root\nx";
  EXPECT_EQ(guest_login_arguments(spec).error().code, base::Errc::kInvalid);
  spec.user = "root";
  spec.kind = ProcessKind::kSubsystem;
  EXPECT_EQ(guest_login_arguments(spec).error().code, base::Errc::kNotFound);
}

}  // namespace
}  // namespace sandtrap::sandbox
