#include "record/decoder.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <optional>

namespace sandtrap::record {
namespace {

namespace json = boost::json;

std::uint64_t number_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_int64() || value->get_int64() < 0) return 0;
  return static_cast<std::uint64_t>(value->get_int64());
}

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

// "OFFSET+LENGTH" within the sidecar.
std::optional<base::ByteView> slice(std::string_view text, base::ByteView binary) {
  std::uint64_t offset = 0, length = 0;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, offset);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '+') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, length);
  if (second.ec != std::errc() || second.ptr != end) return std::nullopt;
  if (offset > binary.size() || length > binary.size() - offset) return std::nullopt;
  return binary.subspan(offset, length);
}

}  // namespace

bool read_header(std::string_view line, Recording& out) {
  json::error_code error;
  const json::value value = json::parse(line, error);
  if (error || !value.is_object()) return false;
  const json::object& header = value.get_object();
  if (number_at(header, "version") != 2) return false;
  out.columns = number_at(header, "width");
  out.rows = number_at(header, "height");
  out.timestamp = number_at(header, "timestamp");
  out.command = text_at(header, "command");
  const json::value* own = header.if_contains("sandtrap");
  if (own != nullptr && own->is_object()) {
    out.kind = text_at(own->get_object(), "kind");
    const json::value* pty = own->get_object().if_contains("pty");
    out.pty = pty != nullptr && pty->is_bool() && pty->get_bool();
    out.session = text_at(own->get_object(), "session");
    out.sandbox = text_at(own->get_object(), "sandbox");
    out.source_ip = text_at(own->get_object(), "source_ip");
  }
  return true;
}

std::optional<Recorded> read_event(std::string_view line, base::ByteView binary) {
  json::error_code error;
  const json::value value = json::parse(line, error);
  if (error || !value.is_array() || value.get_array().size() != 3) return std::nullopt;
  const json::array& fields = value.get_array();
  if (!fields[0].is_double() || !fields[1].is_string() || !fields[2].is_string()) {
    return std::nullopt;
  }
  const double seconds = fields[0].get_double();
  if (!(seconds >= 0 && seconds < 1e12) || fields[1].get_string().size() != 1) return std::nullopt;
  Recorded event;
  event.micros = static_cast<std::uint64_t>(std::llround(seconds * 1e6));
  event.code = fields[1].get_string()[0];
  const std::string_view data = fields[2].get_string();
  if (event.code == 'O' || event.code == 'I' || event.code == 'E') {
    const auto bytes = slice(data, binary);
    if (!bytes) return std::nullopt;
    event.data.assign(bytes->begin(), bytes->end());
  } else {
    event.data = base::to_bytes(data);
  }
  return event;
}

base::Bytes Recording::stream(Stream stream) const {
  const char text = "ioe"[static_cast<std::size_t>(stream)];
  const char raw = "IOE"[static_cast<std::size_t>(stream)];
  base::Bytes out;
  for (const Recorded& event : events) {
    if (event.code == text || event.code == raw) base::append(out, event.data);
  }
  return out;
}

base::Result<Recording> decode(std::string_view cast, base::ByteView binary) {
  Recording out;
  for (std::size_t number = 1; !cast.empty(); ++number) {
    const std::size_t end = cast.find('\n');
    if (end == std::string_view::npos) {
      out.torn = true;
      break;
    }
    const std::string_view line = cast.substr(0, end);
    cast.remove_prefix(end + 1);
    if (number == 1) {
      if (!read_header(line, out)) {
        return base::fail(base::Errc::kInvalid, "line 1: not an asciicast version 2 header");
      }
      continue;
    }
    auto event = read_event(line, binary);
    if (!event) return base::fail(base::Errc::kInvalid, fmt::format("line {}: bad event", number));
    out.events.push_back(std::move(*event));
  }
  if (out.timestamp == 0 && out.columns == 0) {
    return base::fail(base::Errc::kInvalid, "no header");
  }
  return out;
}

}  // namespace sandtrap::record
