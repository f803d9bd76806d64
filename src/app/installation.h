// Where the files that belong to the program are: beside it in the source tree, or installed.
#pragma once

#include <optional>
#include <string>

namespace sandtrap::app {

std::string program_folder();  // of the running binary

// images/build.sh: of the source tree that the binary was built in, else the installed one.
std::optional<std::string> image_script();
// The folder of the guest's own programs `login` and `init` that image_script() puts into an image.
std::optional<std::string> guest_programs();
// Where image_script() puts its result if it is not told otherwise, and the embedded engine looks.
std::string image_folder();

}  // namespace sandtrap::app
