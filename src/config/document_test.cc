// What is written down about the settings is what the program does.
#include "config/document.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "config/table.h"
#include "config/value.h"

namespace sandtrap::config {
namespace {

std::filesystem::path source_root() {
  return std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Example, DocumentsEveryKeyWithItsDefaultAndLoadsClean) {
  const std::string example = contents(source_root() / "config/config.example.yaml");
  EXPECT_EQ(example, example_file())
      << "run: sandtrap config-doc --example > config/config.example.yaml";
  const LoadResult loaded = load(example, "config.example.yaml");
  for (const Problem& problem : loaded.problems) ADD_FAILURE() << to_string(problem);
  EXPECT_THAT(changed_keys(load("", "f").settings, loaded.settings), testing::IsEmpty());
  for (const Key& key : keys()) {
    if (key.only_for_gate || key.internal)
      continue;  // worked out from others, for no person to write
    EXPECT_THAT(example, testing::ContainsRegex(fmt::format("\n *(# )?{}:", key.name)));
    EXPECT_GT(key.help.size(), 10U) << key.path();
    EXPECT_TRUE(key.help.ends_with('.')) << key.path();
  }
}

TEST(Reference, IsTheCommittedDocument) {
  EXPECT_EQ(contents(source_root() / "docs/configuration.md"), reference_document())
      << "run: sandtrap config-doc --reference > docs/configuration.md";
}

TEST(Minimal, LoadsClean) {
  const auto path = source_root() / "config/config.minimal.yaml";
  for (const Problem& problem : load_file(path.string()).problems)
    ADD_FAILURE() << to_string(problem);
}

TEST(Dump, KeepsAnyCredentialAndAnyText) {
  EXPECT_TRUE(
      rc::check("load(dump(s)) is s", [](const std::string& user, const std::string& password,
                                         bool deny, std::uint32_t gates, std::uint64_t bytes) {
        Settings s = load("", "f").settings;
        const auto ascii = [](std::string text) {
          for (char& c : text) c = static_cast<char>(c & 0x7f);
          return text.substr(0, 1024);
        };
        s.authentication.credentials.push_back({ascii(user), ascii(password), deny});
        s.authentication.credentials.push_back({"ünïcödé", "null", true});
        s.server.gates = 1 + gates % 64;
        s.container.disk_bytes = (16ULL << 20) + bytes % (1ULL << 40);
        const LoadResult again = load(dump(s, Audience::kEveryone), "f");
        for (const Problem& problem : again.problems) RC_FAIL(to_string(problem));
        RC_ASSERT(changed_keys(s, again.settings).empty());
        for (std::size_t i = 0; i < 2; ++i) {
          RC_ASSERT(again.settings.authentication.credentials.at(i).user ==
                    s.authentication.credentials.at(i).user);
          RC_ASSERT(again.settings.authentication.credentials.at(i).password ==
                    s.authentication.credentials.at(i).password);
        }
      }));
}

TEST(Load, NeverThrowsOnAnyText) {
  EXPECT_TRUE(rc::check("load is total", [](const std::string& text) {
    const LoadResult loaded = load(text, "f");
    RC_ASSERT(loaded.problems.size() <= 101U);
  }));
}

TEST(Values, DurationsAndSizesReadBackAsPrinted) {
  EXPECT_TRUE(rc::check("duration", [] {
    const std::chrono::milliseconds value(*rc::gen::inRange<std::int64_t>(0, 36500LL * 86'400'000));
    RC_ASSERT(parse_duration(format_duration(value)) == value);
  }));
  EXPECT_TRUE(rc::check(
      "size", [](std::uint64_t bytes) { RC_ASSERT(parse_size(format_size(bytes)) == bytes); }));
  EXPECT_EQ(parse_duration("24h"), std::chrono::hours(24));
  EXPECT_EQ(parse_duration("30d"), std::chrono::hours(720));
  EXPECT_EQ(parse_duration("7"), std::chrono::seconds(7));
  EXPECT_EQ(parse_size("512k"), 512U * 1024);
  EXPECT_EQ(parse_size("1 GiB"), 1ULL << 30);
  EXPECT_EQ(parse_size("77"), 77U);
  for (const char* bad : {"", " ", "-1s", "1.5h", "1x", "0x10", "1s2"})
    EXPECT_FALSE(parse_duration(bad));
  for (const char* bad : {"", "-1", "1MB", "1.5G", "GiB", "1 2"}) EXPECT_FALSE(parse_size(bad));
}

}  // namespace
}  // namespace sandtrap::config
