#include "cli/help_colours.h"

#include <algorithm>

#include "cli/colours.h"

namespace sandtrap::cli {
namespace {

// "Options:", "Subcommands:"
bool is_heading(std::string_view line) {
  return line.size() > 1 && line.back() == ':' && line.front() >= 'A' && line.front() <= 'Z';
}

// The names stand two blanks in, and end before two blanks or at the line's end.
std::string named(std::string_view line) {
  const std::size_t end = std::min(line.find("  ", 2), line.size());
  return "  " + coloured(line.substr(2, end - 2), Colour::kCyan, true) +
         std::string(line.substr(end));
}

}  // namespace

std::string coloured_help(std::string_view text) {
  std::string out;
  bool in_names = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (is_heading(line)) {
      in_names = !line.starts_with("Examples");
      out += coloured(line, Colour::kBold, true);
    } else if (line.starts_with("Usage:")) {
      out += coloured("Usage:", Colour::kBold, true) + std::string(line.substr(6));
    } else if (in_names && line.size() > 2 && line.starts_with("  ") && line[2] != ' ') {
      out += named(line);
    } else {
      out += line;
    }
    if (end < text.size()) out += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace sandtrap::cli
