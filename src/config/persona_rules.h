// What a persona's document must agree on with the packages that really exist.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "config/persona.h"

namespace sandtrap::config {

bool is_persona_word(std::string_view text);  // a persona's or a revision's name
bool is_software(std::string_view text);      // RFC 4253 §4.2, blanks before the comment allowed

// "" unless `software` is a package whose builds are known and none of them, or not this one, had
// such a key exchange list; then what is wrong and what is allowed. A banner that does not fit its
// list gives a honeypot away in one packet.
std::string check_kex_of(std::string_view software, const ssh::NameList& kex);

struct CompiledPersona {
  std::string_view name, text;
};
std::span<const CompiledPersona> compiled_persona_texts();  // made from personas/*.yaml
PersonaRead read_compiled_persona(const CompiledPersona& persona);

}  // namespace sandtrap::config
