#include "sandbox/label.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace sandtrap::sandbox {
namespace {

std::string printable(const std::string& raw) {  // labels hold ids, times and paths: UTF-8 text
  std::string out;
  for (const char c : raw) out.push_back(static_cast<char>(0x20 + (c & 0x3f)));
  return out;
}

TEST(Label, JsonRoundTrips) {
  EXPECT_TRUE(rc::check([](const std::vector<std::string>& sessions, const std::string& text) {
    Label label;
    label.sandbox = printable(text);
    label.case_id = "case \"1\"\n";
    for (const auto& session : sessions) label.sessions.push_back(printable(session));
    label.recordings = {"recordings/2026/a.cast"};
    const auto back = label_from_json(to_json(label));
    RC_ASSERT(back.has_value());
    RC_ASSERT(back->sandbox == label.sandbox);
    RC_ASSERT(back->case_id == label.case_id);
    RC_ASSERT(back->sessions == label.sessions);
    RC_ASSERT(back->recordings == label.recordings);
  }));
}

TEST(Label, RefusesWhatIsNotALabel) {
  EXPECT_FALSE(label_from_json(""));
  EXPECT_FALSE(label_from_json("[]"));
  EXPECT_FALSE(label_from_json("{\"sandbox\":1}"));
  EXPECT_FALSE(label_from_json("{\"sessions\":[1]}"));
  EXPECT_FALSE(label_from_json("{\"sandbox\":\"a\"} x"));
  EXPECT_TRUE(label_from_json("{\"sandbox\":\"a\",\"later\":{}}"));
}

TEST(Label, FileIsReplacedAsAWhole) {
  const std::string dir =
      std::filesystem::temp_directory_path() / ("sandtrap-label-" + std::to_string(::getpid()));
  Label label;
  label.sandbox = "0123456789ab";
  ASSERT_TRUE(write_label(dir + "/a/b", "label.json", label));
  label.ended = "2026-01-01T00:00:00.000000Z";
  ASSERT_TRUE(write_label(dir + "/a/b", "label.json", label));
  const auto back = read_label(dir + "/a/b/label.json");
  ASSERT_TRUE(back);
  EXPECT_EQ(back->ended, label.ended);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir + "/a/b"), {}), 1);
  EXPECT_EQ(read_label(dir + "/none").error().code, base::Errc::kNotFound);
  std::ofstream(dir + "/broken") << "{\"sand";
  EXPECT_EQ(read_label(dir + "/broken").error().code, base::Errc::kInvalid);
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace sandtrap::sandbox
