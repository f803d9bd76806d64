// What a text may look like, as an operator writes it: a regular expression (globs: base/glob.h).
// It takes time linear in the text, because the text is an attacker's: RE2 never backtracks, and
// stays behind pattern.cc. Pure; values.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace re2 {
class RE2;
}

namespace sandtrap::config {

class Regex {
 public:
  struct Fault {
    std::size_t offset = 0;  // bytes into the pattern, where RE2 can tell
    std::string what;        // RE2's words, without the part of the pattern they are about
  };
  // The syntax of RE2 over bytes; `.` also matches a line end.
  static tl::expected<Regex, Fault> compile(std::string_view pattern);
  // The whole of `text` must match, as with a glob.
  bool matches(std::string_view text) const;

 private:
  explicit Regex(std::shared_ptr<const re2::RE2> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const re2::RE2> compiled_;  // immutable: shared by copies
};

}  // namespace sandtrap::config
