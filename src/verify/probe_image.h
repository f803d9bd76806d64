// The program of guest/probe, as bytes inside this one: it is carried into a sandbox when it is
// needed, so no image holds it and no file of it lies about.
#pragma once

#include <string_view>

namespace sandtrap::verify {

std::string_view probe_image();

}  // namespace sandtrap::verify
