#include "event/json_line.h"

#include <array>
#include <charconv>
#include <cstring>

#include "base/bytes.h"
#include "base/utf8.h"

namespace sandtrap::event {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// 0: copied as it is; 'u': as \u00NN; 0xc2: leads a C1 control if the next byte is below 0xa0;
// else the letter behind the backslash.
constexpr std::array<char, 256> kEscapes = [] {
  std::array<char, 256> table{};
  for (std::size_t i = 0; i < 0x20; ++i) table[i] = 'u';
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  table['"'] = '"';
  table['\\'] = '\\';
  table[0x7f] = 'u';
  table[0xc2] = 'c';
  return table;
}();

// Eight bytes at a time over what is plain ASCII and needs no escape: bulk output of a terminal is
// mostly that. May stop early, never late.
std::size_t skip_clean(std::string_view text, std::size_t at) {
  constexpr std::uint64_t kOnes = 0x0101010101010101ULL, kHigh = 0x80 * kOnes;
  const auto holds = [](std::uint64_t word, std::uint64_t byte) {
    const std::uint64_t zero = word ^ (byte * kOnes);
    return (zero - kOnes) & ~zero;
  };
  while (text.size() - at >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, sizeof word);
    const std::uint64_t below_space = (word - 0x20 * kOnes) & ~word;
    const std::uint64_t special =
        word | below_space | holds(word, '"') | holds(word, '\\') | holds(word, 0x7f);
    if ((special & kHigh) != 0) break;
    at += 8;
  }
  return at;
}

void append_unicode(std::string& out, std::uint8_t byte) {
  const char escape[] = {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]};
  out.append(escape, sizeof escape);
}

void append_number(std::string& out, std::uint64_t value) {
  char digits[20];
  const auto result = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, result.ptr);
}

// At most kMaxString bytes, and not through the middle of a sequence.
std::string_view shortened(std::string_view value) {
  if (value.size() <= kMaxString) return value;
  const base::ByteView head = base::as_bytes(value.substr(0, kMaxString));
  for (std::size_t back = 1; back <= 3; ++back) {
    if (base::utf8_incomplete(head.last(back))) return value.substr(0, kMaxString - back);
  }
  return value.substr(0, kMaxString);
}

}  // namespace

void append_escaped(std::string& out, std::string_view text) {
  std::size_t clean = 0;  // start of the run that needs nothing
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    const char escape = kEscapes[byte];
    if (escape == 0) {
      i = skip_clean(text, i + 1) - 1;
      continue;
    }
    std::size_t length = 1;
    if (escape == 'c') {
      if (i + 1 >= text.size() || static_cast<std::uint8_t>(text[i + 1]) >= 0xa0) continue;
      length = 2;
    }
    out.append(text, clean, i - clean);
    if (escape == 'u') {
      append_unicode(out, byte);
    } else if (escape == 'c') {
      append_unicode(out, static_cast<std::uint8_t>(text[i + 1]));
    } else {
      out += '\\';
      out += escape;
    }
    i += length - 1;
    clean = i + 1;
  }
  out.append(text, clean);
}

void JsonLine::name(std::string_view key, std::string_view suffix) {
  if (!first_) out_ += ',';
  first_ = false;
  out_ += '"';
  out_ += key;
  out_ += suffix;
  out_ += "\":";
}

void JsonLine::quoted(std::string_view value) {
  out_ += '"';
  while (!value.empty()) {
    const std::size_t valid = base::utf8_valid_prefix(base::as_bytes(value));
    append_escaped(out_, value.substr(0, valid));
    value.remove_prefix(valid);
    if (value.empty()) break;
    const auto byte = static_cast<std::uint8_t>(value[0]);
    const char stand_in[] = {'\\', '\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    out_.append(stand_in, sizeof stand_in);
    value.remove_prefix(1);
  }
  out_ += '"';
}

void JsonLine::text(std::string_view key, std::string_view value) {
  const std::string_view kept = shortened(value);
  name(key);
  quoted(kept);
  const base::ByteView bytes = base::as_bytes(kept);
  if (base::utf8_valid_prefix(bytes) != bytes.size()) {
    name(key, "_base64");
    out_ += '"';
    out_ += base::to_base64(bytes, true);
    out_ += '"';
  }
  if (kept.size() != value.size()) {
    name(key, "_truncated");
    out_ += "true";
    name(key, "_length");
    append_number(out_, value.size());
  }
}

void JsonLine::number(std::string_view key, std::uint64_t value) {
  name(key);
  append_number(out_, value);
}

void JsonLine::flag(std::string_view key, bool value) {
  name(key);
  out_ += value ? "true" : "false";
}

void JsonLine::list(std::string_view key, std::span<const std::string> values) {
  const auto kept = values.first(std::min(values.size(), kMaxList));
  name(key);
  out_ += '[';
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (i != 0) out_ += ',';
    quoted(shortened(kept[i]));
  }
  out_ += ']';
  if (kept.size() != values.size()) {
    name(key, "_truncated");
    out_ += "true";
    name(key, "_length");
    append_number(out_, values.size());
  }
}

void JsonLine::begin(std::string_view key) {
  name(key);
  out_ += '{';
  first_ = true;
}

void JsonLine::end() {
  out_ += '}';
  first_ = false;
}

}  // namespace sandtrap::event
