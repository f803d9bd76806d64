// A temporary folder that goes with its test, and reading what the scribe wrote in it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/fd.h"

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

  // How many of the first pages of a file are in memory.
  static std::ptrdiff_t cached_pages(int fd, std::size_t bytes) {
    constexpr std::size_t kPage = 4096;
    void* map = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
    EXPECT_NE(map, MAP_FAILED);
    std::vector<unsigned char> cached(bytes / kPage);
    EXPECT_EQ(::mincore(map, bytes, cached.data()), 0);
    ::munmap(map, bytes);
    return std::count_if(cached.begin(), cached.end(),
                         [](unsigned char c) { return (c & 1) != 0; });
  }
  // False where files have no other home, as on tmpfs.
  bool page_cache_can_go() const {
    const std::string text(1 << 20, 'x');
    const base::Fd file(::open((dir_ + "/.cache").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    EXPECT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    EXPECT_EQ(::fsync(file.get()), 0);
    EXPECT_EQ(::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED), 0);
    return cached_pages(file.get(), text.size()) < 16;
  }

  std::string dir_;
};

}  // namespace sandtrap::scribe
