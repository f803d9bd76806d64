// Settings as text: the canonical file that roles read, the example file, the reference document.
#pragma once

#include <string>
#include <vector>

#include "config/settings.h"

namespace sandtrap::config {

enum class Audience { kEveryone, kGate };  // kGate: without what the gate must not know

// Every key with its value; load() of it gives the same settings.
std::string dump(const Settings& settings, Audience audience);
// config/config.example.yaml and docs/configuration.md.
std::string example_file();
std::string reference_document();
// Paths of the keys whose values differ ("server.listen").
std::vector<std::string> changed_keys(const Settings& before, const Settings& after);

}  // namespace sandtrap::config
