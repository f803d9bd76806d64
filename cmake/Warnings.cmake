# One target that everyone links: the project's warnings.
add_library(sandtrap_warnings INTERFACE)
target_compile_options(sandtrap_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Woverloaded-virtual -Wold-style-cast>
  $<$<BOOL:${SANDTRAP_WERROR}>:-Werror>)
