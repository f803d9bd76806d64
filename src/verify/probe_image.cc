#include "verify/probe_image.h"

// SANDTRAP_PROBE: the path of the built program (src/verify is told by CMake).
__asm__(
    ".pushsection .rodata\n"
    ".global sandtrap_probe_begin\n"
    ".global sandtrap_probe_end\n"
    ".balign 16\n"
    "sandtrap_probe_begin:\n"
    ".incbin \"" SANDTRAP_PROBE
    "\"\n"
    "sandtrap_probe_end:\n"
    ".popsection\n");

extern "C" {
extern const char sandtrap_probe_begin[], sandtrap_probe_end[];
}

namespace sandtrap::verify {

std::string_view probe_image() {
  return {sandtrap_probe_begin,
          static_cast<std::size_t>(sandtrap_probe_end - sandtrap_probe_begin)};
}

}  // namespace sandtrap::verify
