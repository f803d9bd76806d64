#include "cli/json_output.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>

namespace sandtrap::cli {

std::string escaped_json(const std::string& json) {
  std::string out;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const auto byte = static_cast<unsigned char>(json[i]);
    const auto next = i + 1 < json.size() ? static_cast<unsigned char>(json[i + 1]) : 0;
    if (byte == 0x7f) {
      out += "\\u007f";
    } else if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {
      out += fmt::format("\\u{:04x}", next);
      ++i;
    } else {
      out += json[i];
    }
  }
  return out;
}

std::string json_text(const boost::json::value& value) {
  return escaped_json(boost::json::serialize(value));
}

void print_json(const boost::json::value& value) {
  fmt::print("{}\n", json_text(value));
}

}  // namespace sandtrap::cli
