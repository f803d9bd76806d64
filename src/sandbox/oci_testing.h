// For the tests of the embedded engine: one prepared engine on throw-away folders, and what of it
// is left on this machine. Included by *_test.cc only.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "sandbox/oci_engine.h"
#include "sandbox/testing.h"

namespace sandtrap::sandbox::testing {

class OciFixture : public ::testing::Test {
 protected:
  void SetUp() override;  // skips without root, runtime or image
  void TearDown() override;

  // A second engine on the same folders, as a restarted warden has it.
  std::unique_ptr<OciEngine> another_engine();
  std::unique_ptr<Sandbox> create(const std::string& id);
  std::unique_ptr<Sandbox> create(const std::string& id, Limits limits);
  void destroy(Sandbox& sandbox);
  Outcome shell(Sandbox& sandbox, const std::string& command, std::string input = "");
  Limits limits() const;
  OciOptions options() const;

  boost::asio::io_context io_;
  base::Log log_{"test", base::LogLevel::kWarn};
  std::string root_;
  std::unique_ptr<OciEngine> engine_;
  Capabilities capabilities_;
};

// What names `marker` among this process's mounts, the loop devices and the control groups.
std::vector<std::string> leftovers(const std::string& marker);
std::string read_text(const std::string& path);

}  // namespace sandtrap::sandbox::testing
