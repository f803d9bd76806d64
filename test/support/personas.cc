#include "support/personas.h"

#include "base/error.h"
#include "config/persona.h"

namespace sandtrap::ssh {

Profile persona(std::string_view name, std::string_view revision, bool legacy) {
  const config::PersonaFile* file = config::compiled_persona(name);
  SANDTRAP_CHECK(file != nullptr);
  auto found = file->at(revision, legacy);
  SANDTRAP_CHECK(found.has_value());
  return std::move(found->profile);
}

Profile debian_12() {
  return persona("debian-12");
}

}  // namespace sandtrap::ssh
