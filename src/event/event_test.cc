#include "event/event.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <boost/json.hpp>

#include "event/json_line.h"
#include "event/samples_for_test.h"

namespace sandtrap::event {
namespace {

namespace json = boost::json;

json::object parsed(const std::string& line) {
  EXPECT_FALSE(line.empty());
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  return json::parse(line).as_object();
}

bool has_control_character(std::string_view line) {
  for (std::size_t i = 0; i + 1 < line.size(); ++i) {
    const auto byte = static_cast<unsigned char>(line[i]);
    if (byte < 0x20 || byte == 0x7f) return true;
    const auto next = static_cast<unsigned char>(line[i + 1]);
    if (byte == 0xc2 && next >= 0x80 && next < 0xa0) return true;
  }
  return false;
}

TEST(ToLine, WritesTheContextThenTheFields) {
  Context context;
  context.time.micros = 1'763'766'105'012'345;
  context.sensor = "pot";
  context.session = "0123456789ab";
  context.case_id = "192.0.2.7";
  context.source_ip = "192.0.2.7";
  context.source_port = 50123;
  EXPECT_EQ(to_line(context, ConnectionOpened{"198.51.100.2", 22, {}}),
            "{\"time\":\"2025-11-21T23:01:45.012345Z\",\"event\":\"connection.opened\","
            "\"sensor\":\"pot\",\"session\":\"0123456789ab\",\"case\":\"192.0.2.7\","
            "\"source_ip\":\"192.0.2.7\",\"source_port\":50123,\"local_ip\":\"198.51.100.2\","
            "\"local_port\":22}\n");
  const std::string bare = to_line({}, ErrorRaised{"x", "y"});
  EXPECT_EQ(bare.find("session"), std::string::npos);
  EXPECT_EQ(bare.find("source_port"), std::string::npos);
}

TEST(ToLine, LeavesOutWhatIsNotThereAndKeepsWhatIsEmpty) {
  LoginAttempt attempt{};
  attempt.user = "root";
  attempt.method = "password";
  attempt.password = "";
  const auto failed = parsed(to_line({}, attempt));
  EXPECT_EQ(failed.at("event").as_string(), "login.failed");
  EXPECT_EQ(failed.at("password").as_string(), "");
  EXPECT_FALSE(failed.contains("key_type"));
  attempt.succeeded = true;
  attempt.password.reset();
  const auto succeeded = parsed(to_line({}, attempt));
  EXPECT_EQ(succeeded.at("event").as_string(), "login.succeeded");
  EXPECT_FALSE(succeeded.contains("password"));
}

TEST(ToLine, BytesThatAreNotUtf8ArePrintableAndKeptExactly) {
  const auto object = parsed(to_line({}, ClientVersion{"SSH-2.0-a\xff\x80\\\x01\x9b"}));
  EXPECT_EQ(object.at("version").as_string(), "SSH-2.0-a\\xff\\x80\\\x01\\x9b");
  EXPECT_EQ(object.at("version_base64").as_string(), "U1NILTIuMC1h/4BcAZs=");
  EXPECT_FALSE(parsed(to_line({}, ClientVersion{"na\xc3\xafve"})).contains("version_base64"));
}

TEST(ToLine, ALongStringIsCutBetweenCharactersAndItsLengthKept) {
  std::string command(kMaxString - 1, 'a');
  command += "\xe2\x82\xac and more";
  const auto object = parsed(to_line({}, ProgramRequested{1, "exec", command}));
  EXPECT_EQ(object.at("command").as_string(), std::string(kMaxString - 1, 'a'));
  EXPECT_TRUE(object.at("command_truncated").as_bool());
  EXPECT_EQ(object.at("command_length").as_int64(), static_cast<std::int64_t>(command.size()));
  EXPECT_FALSE(object.contains("command_base64"));
}

TEST(ToLine, AnyBytesInAnyFieldGiveOnePrintableLineThatParses) {
  for (const Body& sample : samples_with_text("x")) {
    ASSERT_FALSE(type_name(sample).empty());
  }
  EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& bytes) {
    const std::string text(bytes.begin(), bytes.end());
    Context context;
    context.sensor = context.session = context.case_id = context.source_ip = text;
    for (const Body& body : samples_with_text(text)) {
      const std::string line = to_line(context, body);
      RC_ASSERT(line.back() == '\n');
      RC_ASSERT(!has_control_character(line.substr(0, line.size() - 1)));
      json::error_code error;
      const auto value = json::parse(line, error);
      RC_ASSERT(!error);
      RC_ASSERT(value.as_object().at("event").as_string() == type_name(body));
    }
  }));
}

TEST(ToLine, WhatIsUtf8ComesBackAsItWas) {
  EXPECT_TRUE(rc::check([] {
    const auto parts = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
        "a", "\"", "\\", "\n", "\x7f", "\xc2\x85", "\xc2\xa0", "\xe2\x82\xac", "\xf0\x9f\x98\x80"));
    std::string text;
    for (const auto& part : parts) text += part;
    const auto value = json::parse(to_line({}, ClientVersion{text}));
    RC_ASSERT(value.at("version").as_string() == text);
  }));
}

}  // namespace
}  // namespace sandtrap::event
