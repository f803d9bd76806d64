// A real Docker Engine for the tests: one that runs, or a private one that tools/docker-engine.sh
// starts and the last test stops. Included by *_test.cc only.
#pragma once

#include <string>

#include "base/fd.h"

namespace sandtrap::sandbox::testing {

class EngineLease {
 public:
  // `name` is the folder below build/; "docker" is shared with other test programs.
  explicit EngineLease(const std::string& name);
  ~EngineLease();
  EngineLease(const EngineLease&) = delete;
  EngineLease& operator=(const EngineLease&) = delete;

  const std::string& socket() const { return socket_; }  // empty: none, see why()
  const std::string& why() const { return why_; }
  // Stops and starts a private engine under its users' feet.
  void restart();

 private:
  std::string directory_, socket_, why_;
  base::Fd users_;  // a shared lock: the engine is in use
};

std::string guest_archive();  // SANDTRAP_TEST_IMAGE, or where images/build.sh puts it; may be empty

}  // namespace sandtrap::sandbox::testing
