#include "record/encoder.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "base/utf8.h"
#include "event/json_line.h"

namespace sandtrap::record {
namespace {

constexpr char kTextCodes[] = {'i', 'o', 'e'};  // by Stream
constexpr char kBinaryCodes[] = {'I', 'O', 'E'};

void append_number(std::string& out, std::uint64_t value) {
  char digits[20];
  const auto result = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, result.ptr);
}

// `[12.345678, "o", "`: seconds with six decimals, by hand: a double would lose digits in the end.
void begin_line(std::string& out, std::uint64_t micros, char code) {
  out += '[';
  append_number(out, micros / 1'000'000);
  char fraction[7] = {'.', '0', '0', '0', '0', '0', '0'};
  std::uint64_t rest = micros % 1'000'000;
  for (std::size_t i = 6; i > 0; --i, rest /= 10) fraction[i] = static_cast<char>('0' + rest % 10);
  out.append(fraction, sizeof fraction);
  out += ", \"";
  out += code;
  out += "\", \"";
}

void end_line(std::string& out) {
  out += "\"]\n";
}

bool is_plain(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::string make_header(const Header& header) {
  std::string out;
  event::JsonLine line(out);
  line.number("version", 2);
  // Players refuse a terminal without area; a client without one sends 0.
  line.number("width", header.columns == 0 ? 80 : header.columns);
  line.number("height", header.rows == 0 ? 24 : header.rows);
  line.number("timestamp", static_cast<std::uint64_t>(header.start.micros / 1'000'000));
  line.text_if_any("command", header.command);
  line.begin("env");
  for (const auto& [name, value] : header.env) {
    if (is_plain(name)) line.text(name, value);
  }
  line.end();
  line.begin("sandtrap");
  line.text("start", base::to_iso8601(header.start));
  line.text("kind", header.kind);
  line.flag("pty", header.pty);
  line.number("channel", header.channel);
  line.text_if_any("session", header.session);
  line.text_if_any("case", header.case_id);
  line.text_if_any("sandbox", header.sandbox);
  line.text_if_any("source_ip", header.source_ip);
  line.text_if_any("user", header.user);
  line.text_if_any("sensor", header.sensor);
  line.end();
  line.end();
  out += '\n';
  return out;
}

}  // namespace

Encoder::Encoder(const Header& header, base::Instant start)
    : header_line_(make_header(header)), start_(start), last_(start) {}

std::uint64_t Encoder::advance(base::Instant now) {
  last_ = std::max(last_, now);
  const auto elapsed = std::chrono::duration_cast<std::chrono::microseconds>(last_ - start_);
  return static_cast<std::uint64_t>(elapsed.count());
}

// How many of `data`'s bytes end the sequence that is held back; 0 if they do not.
std::size_t Encoder::completing(const Held& held, base::ByteView data) {
  std::uint8_t joined[4] = {};
  std::copy_n(held.bytes, held.size, joined);
  for (std::size_t n = 1; n <= data.size() && held.size + n <= sizeof joined; ++n) {
    joined[held.size + n - 1] = data[n - 1];
    const base::ByteView sequence(joined, held.size + n);
    if (base::utf8_valid_prefix(sequence) == sequence.size()) return n;
    if (!base::utf8_incomplete(sequence)) return 0;
  }
  return 0;
}

void Encoder::append_binary(std::string& lines, Stream stream, std::size_t size,
                            std::uint64_t micros) {
  begin_line(lines, micros, kBinaryCodes[static_cast<std::size_t>(stream)]);
  append_number(lines, binary_offset_);
  lines += '+';
  append_number(lines, size);
  end_line(lines);
  binary_offset_ += size;
}

Chunk Encoder::add(Stream stream, base::ByteView data, base::Instant now) {
  Chunk chunk;
  if (data.empty()) return chunk;
  const std::uint64_t micros = advance(now);
  Held& held = held_[static_cast<std::size_t>(stream)];
  const std::size_t joint = held.size == 0 ? 0 : completing(held, data);
  const bool joined = held.size == 0 || joint > 0;
  const base::ByteView body = data.subspan(joint);
  const std::size_t valid = joined ? base::utf8_valid_prefix(body) : 0;
  const base::ByteView tail = body.subspan(valid);

  if (joined && (tail.empty() || (tail.size() <= 3 && base::utf8_incomplete(tail)))) {
    if (held.size + joint + valid > 0) {
      chunk.lines.reserve(held.size + joint + valid + 32);
      begin_line(chunk.lines, micros, kTextCodes[static_cast<std::size_t>(stream)]);
      if (joint > 0) {
        std::string sequence(base::as_text({held.bytes, held.size}));
        sequence += base::as_text(data.first(joint));
        event::append_escaped(chunk.lines, sequence);
      }
      event::append_escaped(chunk.lines, base::as_text(body.first(valid)));
      end_line(chunk.lines);
    }
    std::copy(tail.begin(), tail.end(), held.bytes);
    held.size = tail.size();
    return chunk;
  }
  if (held.size > 0 && held.size + data.size() <= 3) {  // bytes that trickle in one at a time
    base::Bytes both(held.bytes, held.bytes + held.size);
    base::append(both, data);
    if (base::utf8_incomplete(both)) {
      std::copy(both.begin(), both.end(), held.bytes);
      held.size = both.size();
      return chunk;
    }
  }
  chunk.binary = data;
  if (held.size > 0) {
    scratch_.assign(held.bytes, held.bytes + held.size);
    base::append(scratch_, data);
    held.size = 0;
    chunk.binary = scratch_;
  }
  append_binary(chunk.lines, stream, chunk.binary.size(), micros);
  return chunk;
}

std::string Encoder::resize(std::uint32_t columns, std::uint32_t rows, base::Instant now) {
  std::string line;
  begin_line(line, advance(now), 'r');
  append_number(line, columns);
  line += 'x';
  append_number(line, rows);
  end_line(line);
  return line;
}

Chunk Encoder::finish(base::Instant now) {
  Chunk chunk;
  const std::uint64_t micros = advance(now);
  scratch_.clear();
  for (const Stream stream : {Stream::kInput, Stream::kOutput, Stream::kError}) {
    Held& held = held_[static_cast<std::size_t>(stream)];
    if (held.size == 0) continue;
    base::append(scratch_, {held.bytes, held.size});
    append_binary(chunk.lines, stream, held.size, micros);
    held.size = 0;
  }
  chunk.binary = scratch_;
  return chunk;
}

}  // namespace sandtrap::record
