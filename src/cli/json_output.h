// What every `--json` prints: one value on standard output that a terminal may show.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>

namespace sandtrap::cli {

// DEL and the C1 controls, which JSON lets through, are escaped as the others are.
std::string escaped_json(const std::string& json);
std::string json_text(const boost::json::value& value);  // on one line
void print_json(const boost::json::value& value);        // and a newline

}  // namespace sandtrap::cli
