// Any text as a configuration or as a persona: reading never throws, and what load() accepts
// survives its own printing.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "config/document.h"
#include "config/persona.h"
#include "config/settings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sandtrap;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const config::PersonaRead persona = config::read_persona(text, "fuzz");
  if (persona.problems.empty()) SANDTRAP_CHECK(persona.file.at("", true).has_value());
  const config::LoadResult loaded = config::load(text, "fuzz");
  if (!loaded.problems.empty()) return 0;
  const std::string printed = config::dump(loaded.settings, config::Audience::kEveryone);
  const config::LoadResult again = config::load(printed, "again");
  SANDTRAP_CHECK(again.problems.empty());
  SANDTRAP_CHECK(config::changed_keys(loaded.settings, again.settings).empty());
  return 0;
}
