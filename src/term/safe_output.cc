#include "term/safe_output.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/bytes.h"
#include "base/utf8.h"

namespace sandtrap::term {
namespace {

constexpr std::size_t kMaxSequence = 64;   // ESC [ … final
constexpr std::size_t kMaxString = 65536;  // OSC, DCS … whose end never comes
constexpr unsigned kMaxParameter = 9999;   // ECMA-48 knows no bound; terminals loop over it
constexpr std::string_view kUnknown = "\xEF\xBF\xBD";  // U+FFFD

// ESC [ ? N h and l: those that change nothing but the picture. Not among them: mouse and focus
// reports, bracketed paste (they make the terminal send), 3 (132 columns), 5 (reverse: it
// flickers).
constexpr unsigned kPrivateModes[] = {1, 6, 7, 12, 25, 47, 1047, 1048, 1049};

// What may be shown of a character: no C1 control, nothing that turns the direction of writing
// (Trojan Source), no tag characters.
bool is_deceptive(std::string_view utf8) {
  const auto at = [utf8](std::size_t i) { return static_cast<unsigned char>(utf8[i]); };
  if (utf8.size() == 2) return at(0) == 0xc2 && at(1) < 0xa0;
  if (utf8.size() == 3 && at(0) == 0xe2) {
    const unsigned low = (at(1) & 0x3fU) << 6 | (at(2) & 0x3fU);  // U+2000 + low
    return (low >= 0x0e && low <= 0x0f) || (low >= 0x28 && low <= 0x2e) ||
           (low >= 0x66 && low <= 0x69);
  }
  if (utf8.size() == 3 && at(0) == 0xd8) return false;
  return utf8.size() == 4 && at(0) == 0xf3 && at(1) == 0xa0 && at(2) <= 0x81;  // U+E0000…
}

std::size_t length_by_lead(unsigned char byte) {
  if (byte >= 0xc2 && byte <= 0xdf) return 2;
  if (byte >= 0xe0 && byte <= 0xef) return 3;
  return byte >= 0xf0 && byte <= 0xf4 ? 4 : 0;
}

// The numbers of "1;2;3"; false if there is anything else, too much or too large.
bool numbers(std::string_view text, std::vector<unsigned>& out) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(';'), text.size());
    unsigned value = 0;
    if (end > 0) {
      const auto [stop, error] = std::from_chars(text.data(), text.data() + end, value);
      if (error != std::errc() || stop != text.data() + end || value > kMaxParameter) return false;
    }
    out.push_back(value);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

// `body`: between "ESC [" and the final byte.
bool is_harmless(std::string_view body, unsigned char final) {
  if (body.starts_with('?')) {
    std::vector<unsigned> modes;
    if ((final != 'h' && final != 'l') || !numbers(body.substr(1), modes) || modes.empty()) {
      return false;
    }
    return std::all_of(modes.begin(), modes.end(), [](unsigned mode) {
      return std::find(std::begin(kPrivateModes), std::end(kPrivateModes), mode) !=
             std::end(kPrivateModes);
    });
  }
  if (final == 'm') {  // colours; also with sub-parameters, 38:2:1:2:3
    return body.find_first_not_of("0123456789;:") == std::string_view::npos;
  }
  std::vector<unsigned> values;
  if (!numbers(body, values)) return false;
  constexpr std::string_view kMoveAndErase =
      "@ABCDEFGIJKLMPSXZ`abdegT";  // T: with more, mouse reports
  if (kMoveAndErase.find(static_cast<char>(final)) != std::string_view::npos) {
    return values.size() <= 1;
  }
  if (final == 'H' || final == 'f' || final == 'r') return values.size() <= 2;
  if (final == 'h' || final == 'l') return values == std::vector<unsigned>{4};  // insert mode
  return (final == 's' || final == 'u') && values.empty();  // save and restore the cursor
}

}  // namespace

std::string_view SafeOutput::reset() {
  // Left alternate screen, no colours, US-ASCII in both sets, insert off, no margins, cursor shown.
  return "\x1b[?1049l\x1b[m\x1b(B\x1b)B\x0f\x1b[4l\x1b[?6l\x1b[?7h\x1b[?1l\x1b[r\x1b[?25h";
}

void SafeOutput::drop() {
  ++left_out_;
  held_.clear();
  state_ = State::kText;
}

void SafeOutput::feed(std::string_view bytes, std::string& out) {
  for (const char c : bytes) take(static_cast<unsigned char>(c), out);
}

void SafeOutput::take(unsigned char byte, std::string& out) {
  switch (state_) {
    case State::kText:
      return text(byte, out);
    case State::kUtf8:
      return utf8(byte, out);
    case State::kEscape:
      return escape(byte, out);
    case State::kCharset:
      // US-ASCII or line drawing; what else there is depends on the terminal.
      if (byte == 'B' || byte == '0') {
        out += held_;
        out += static_cast<char>(byte);
        held_.clear();
        state_ = State::kText;
        return;
      }
      drop();
      if (byte < 0x20) control(byte, out);
      return;
    case State::kSequence:
      return sequence(byte, out);
    case State::kString:
    case State::kStringEscape:
      return string(byte, out);
  }
}

void SafeOutput::text(unsigned char byte, std::string& out) {
  if (byte < 0x20 || byte == 0x7f) return control(byte, out);
  if (byte < 0x80) {
    out += static_cast<char>(byte);
    return;
  }
  expected_ = length_by_lead(byte);
  if (expected_ == 0) {  // a lone C1 control in eight bits, or no UTF-8 at all
    out += kUnknown;
    return;
  }
  held_.assign(1, static_cast<char>(byte));
  state_ = State::kUtf8;
}

void SafeOutput::utf8(unsigned char byte, std::string& out) {
  if ((byte & 0xc0) != 0x80) {
    out += kUnknown;
    held_.clear();
    state_ = State::kText;
    return text(byte, out);
  }
  held_ += static_cast<char>(byte);
  if (held_.size() == expected_) finish_utf8(out);
}

void SafeOutput::finish_utf8(std::string& out) {
  const bool valid = base::utf8_valid_prefix(base::as_bytes(held_)) == held_.size();
  if (valid && !is_deceptive(held_)) {
    out += held_;
  } else {
    out += kUnknown;
    if (valid) ++left_out_;
  }
  held_.clear();
  state_ = State::kText;
}

void SafeOutput::control(unsigned char byte, std::string& out) {
  switch (byte) {
    case 0x1b:
      held_ = "\x1b";
      state_ = State::kEscape;
      return;
    case '\b':
    case '\t':
    case '\n':
    case '\r':
    case 0x0e:
    case 0x0f:  // SO, SI: line drawing
      out += static_cast<char>(byte);
      return;
    case '\v':
    case '\f':
      out += '\n';
      return;
    case 0x00:  // padding
      return;
    default:  // ENQ is answered, BEL beeps, XOFF stops, the others do nothing that is seen
      ++left_out_;
  }
}

void SafeOutput::escape(unsigned char byte, std::string& out) {
  switch (byte) {
    case '[':
      held_ += '[';
      state_ = State::kSequence;
      return;
    case ']':
    case 'P':
    case 'X':
    case '^':
    case '_':  // OSC, DCS, SOS, PM, APC
      held_.clear();
      string_size_ = 0;
      state_ = State::kString;
      return;
    case '(':
    case ')':
      held_ += static_cast<char>(byte);
      state_ = State::kCharset;
      return;
    case '7':
    case '8':
    case 'D':
    case 'E':
    case 'M':  // cursor, line feed, reverse
      out += held_;
      out += static_cast<char>(byte);
      held_.clear();
      state_ = State::kText;
      return;
    case 0x1b:
      ++left_out_;
      return;
    default:
      drop();
      if (byte < 0x20) control(byte, out);
      if (byte >= 0x80) text(byte, out);
  }
}

void SafeOutput::sequence(unsigned char byte, std::string& out) {
  if (byte < 0x20 || byte >= 0x7f) {
    // CAN, SUB and ESC end it; a terminal performs other controls in its midst, and so shall we.
    if (byte == 0x18 || byte == 0x1a || byte == 0x1b || byte >= 0x7f) {
      drop();
      if (byte == 0x1b || byte > 0x7f) text(byte, out);
      return;
    }
    const std::string held = held_;
    control(byte, out);
    held_ = held;
    state_ = State::kSequence;
    return;
  }
  if (byte < 0x40) {
    // One that is too long is read to its end, and then is not harmless.
    if (held_.size() < kMaxSequence) held_ += static_cast<char>(byte);
    return;
  }
  if (held_.size() < kMaxSequence && is_harmless(std::string_view(held_).substr(2), byte)) {
    out += held_;
    out += static_cast<char>(byte);
    held_.clear();
    state_ = State::kText;
    return;
  }
  drop();
}

// Up to BEL, ST (ESC \), CAN or SUB; and not for ever.
void SafeOutput::string(unsigned char byte, std::string& out) {
  if (state_ == State::kStringEscape) {
    drop();
    if (byte == '\\') return;
    held_ = "\x1b";
    state_ = State::kEscape;
    return escape(byte, out);
  }
  if (byte == 0x1b) {
    state_ = State::kStringEscape;
    return;
  }
  if (byte == 0x07 || byte == 0x18 || byte == 0x1a || ++string_size_ > kMaxString) {
    drop();
  }
}

}  // namespace sandtrap::term
