// docs/events.md is the contract with whoever reads the log: it must hold every event and field.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "event/event.h"
#include "event/samples_for_test.h"

namespace sandtrap::event {
namespace {

std::string document() {
  const auto path = std::filesystem::path(__FILE__).parent_path() / "../../docs/events.md";
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The part of the document under "### `name`"; empty if there is none.
std::string section(const std::string& all, const std::string& name) {
  const std::string title = "### `" + name + "`\n";
  const std::size_t start = all.find(title);
  if (start == std::string::npos) return {};
  return all.substr(start, all.find("\n##", start + title.size()) - start);
}

std::set<std::string> keys_of(const boost::json::object& object) {
  std::set<std::string> keys;
  for (const auto& field : object) keys.emplace(field.key());
  return keys;
}

Context full_context() {
  return {{1}, "pot", "0123456789ab", "192.0.2.1", "192.0.2.1", 1};
}

TEST(Documentation, HoldsEveryEventAndField) {
  const std::string all = document();
  ASSERT_FALSE(all.empty());
  const auto common =
      keys_of(boost::json::parse(to_line(full_context(), ErrorRaised{})).as_object());
  for (const std::string& key : common) {
    if (key == "where" || key == "what") continue;
    EXPECT_NE(all.find("| `" + key + "` |"), std::string::npos) << key;
  }
  for (const Body& body : samples_with_text("x")) {
    const std::string name(type_name(body));
    const std::string part = section(all, name);
    EXPECT_FALSE(part.empty()) << name;
    for (const std::string& key : keys_of(boost::json::parse(to_line({}, body)).as_object())) {
      if (key == "time" || key == "event") continue;
      EXPECT_NE(part.find("| `" + key + "` |"), std::string::npos) << name << ": " << key;
    }
  }
}

TEST(Documentation, ItsExamplesAreWhatIsWritten) {
  const std::string all = document();
  std::size_t examples = 0;
  for (const Body& body : samples_with_text("x")) {
    const std::string name(type_name(body));
    const std::string part = section(all, name);
    const std::size_t start = part.find("```json\n");
    ASSERT_NE(start, std::string::npos) << name;
    const std::size_t end = part.find("\n```", start + 8);
    const auto example = boost::json::parse(part.substr(start + 8, end - start - 8)).as_object();
    EXPECT_EQ(example.at("event").as_string(), name);
    const auto real = keys_of(boost::json::parse(to_line(full_context(), body)).as_object());
    for (const std::string& key : keys_of(example)) {
      EXPECT_TRUE(real.count(key) == 1) << name << ": " << key;
    }
    ++examples;
  }
  EXPECT_EQ(examples, samples_with_text("x").size());
}

}  // namespace
}  // namespace sandtrap::event
