// Writes one JSON object into a string, key by key, with no document in memory. Attacker-chosen
// strings are bytes: docs/events.md ("Strings") says what becomes of those that are not UTF-8 and
// of those that are too long. Values only; used by to_line() and by a recording's header.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sandtrap::event {

// A longer string is cut here, so that a line stays bounded whatever the attacker sends.
inline constexpr std::size_t kMaxString = 32 * 1024;
inline constexpr std::size_t kMaxList = 1000;  // elements of an array

// Appends `text`, which must be valid UTF-8, with what JSON (and a terminal that shows the line)
// needs escaped: quote, backslash, C0, DEL and C1.
void append_escaped(std::string& out, std::string_view text);

class JsonLine {
 public:
  explicit JsonLine(std::string& out) : out_(out) { out_ += '{'; }

  void text(std::string_view key, std::string_view value);
  void text_if_any(std::string_view key, std::string_view value) {
    if (!value.empty()) text(key, value);
  }
  void number(std::string_view key, std::uint64_t value);
  void flag(std::string_view key, bool value);
  void list(std::string_view key, std::span<const std::string> values);

  void begin(std::string_view key);  // a nested object
  void end();                        // closes what begin() or the constructor opened

 private:
  void name(std::string_view key, std::string_view suffix = {});
  void quoted(std::string_view value);

  std::string& out_;
  bool first_ = true;
};

}  // namespace sandtrap::event
