// How a program ended. A value.
#pragma once

namespace sandtrap::sandbox {

struct ExitResult {
  enum class Kind { kStatus, kSignal, kUnknown } kind = Kind::kUnknown;
  int value = 0;  // exit code, or signal number
  bool core_dumped = false;
};

}  // namespace sandtrap::sandbox
