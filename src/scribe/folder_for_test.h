// A temporary folder that goes with its test, and reading what the scribe wrote in it.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace sandtrap::scribe {

class FolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char dir[] = "/tmp/sandtrap-scribe.XXXXXX";
    ASSERT_NE(::mkdtemp(dir), nullptr);
    dir_ = dir;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  std::string log_path() const { return dir_ + "/events.jsonl"; }
  static std::string content(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // Every line of the log, each of which must be one JSON object.
  std::vector<boost::json::object> events() const {
    std::vector<boost::json::object> all;
    std::ifstream in(log_path());
    for (std::string line; std::getline(in, line);) {
      boost::json::error_code error;
      auto value = boost::json::parse(line, error);
      EXPECT_TRUE(!error && value.is_object()) << "line: '" << line << "'";
      if (!error && value.is_object()) all.push_back(value.as_object());
    }
    return all;
  }
  std::vector<boost::json::object> events_of(std::string_view type) const {
    std::vector<boost::json::object> some;
    for (auto& event : events()) {
      if (event.at("event").as_string() == type) some.push_back(event);
    }
    return some;
  }

  std::string dir_;
};

}  // namespace sandtrap::scribe
