# One target that everyone links: the project's warnings.
add_library(sandtrap_warnings INTERFACE)
target_compile_options(sandtrap_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Woverloaded-virtual -Wold-style-cast>
  # With the sanitizers' inlining GCC 12 takes the two halves of Asio's coroutine frame allocator
  # for a mismatched pair.
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-mismatched-new-delete>
  $<$<BOOL:${SANDTRAP_WERROR}>:-Werror>)
