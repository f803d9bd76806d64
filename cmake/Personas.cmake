# sandtrap_compile_personas(TARGET): the texts of personas/*.yaml become part of the target, so that
# no process has to find or open them (config/persona_rules.h: compiled_persona_texts()).
function(sandtrap_compile_personas target)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/personas/*.yaml)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files})
  set(rows "")
  foreach(file ${files})
    get_filename_component(name ${file} NAME_WLE)
    file(READ ${file} text)
    string(APPEND rows "    {\"${name}\", R\"persona(${text})persona\"},\n")
  endforeach()
  set(source ${CMAKE_BINARY_DIR}/personas.cc)
  file(GENERATE OUTPUT ${source} CONTENT
"// Made from personas/*.yaml.
#include \"config/persona_rules.h\"

namespace sandtrap::config {

std::span<const CompiledPersona> compiled_persona_texts() {
  static constexpr CompiledPersona kPersonas[] = {
${rows}  };
  return kPersonas;
}

}  // namespace sandtrap::config
")
  target_sources(${target} PRIVATE ${source})
endfunction()
