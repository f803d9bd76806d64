// What an attacker's session wrote to his terminal, made fit for the operator's: text, colours and
// the movement of the cursor pass; whatever makes a terminal answer, remember, run, print, beep or
// rename itself does not. An allow list: what is not known is left out. Pure; a state machine over
// bytes, so that a sequence cut between two chunks is still one. docs/operations.md has the list.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sandtrap::term {

class SafeOutput {
 public:
  // Appends to `out` what may be shown of `bytes`.
  void feed(std::string_view bytes, std::string& out);
  // Puts a terminal back that was shown such output: colours, character set, screen, cursor.
  static std::string_view reset();
  std::uint64_t left_out() const { return left_out_; }  // sequences and control characters

 private:
  enum class State { kText, kUtf8, kEscape, kCharset, kSequence, kString, kStringEscape };

  void take(unsigned char byte, std::string& out);
  void text(unsigned char byte, std::string& out);
  void utf8(unsigned char byte, std::string& out);
  void control(unsigned char byte, std::string& out);
  void escape(unsigned char byte, std::string& out);
  void sequence(unsigned char byte, std::string& out);
  void string(unsigned char byte, std::string& out);
  void finish_utf8(std::string& out);
  void drop();

  State state_ = State::kText;
  std::string held_;          // of the character or sequence that is not complete
  std::size_t expected_ = 0;  // bytes of the character
  std::size_t string_size_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace sandtrap::term
