// The results for people and for programs. Pure.
#pragma once

#include <string>
#include <vector>

#include "verify/result.h"

namespace sandtrap::verify {

std::string as_table(const std::vector<Result>& results);
std::string as_json(const std::vector<Result>& results, const Facts& facts);
// "gate-user: expected …, observed …": one line each for what failed.
std::vector<std::string> failures(const std::vector<Result>& results);

std::string list_of_checks();  // --list
std::string list_as_json();    // --list --json
std::string document();        // docs/verify.md

}  // namespace sandtrap::verify
