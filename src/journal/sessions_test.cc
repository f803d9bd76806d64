#include "journal/sessions.h"

#include <gtest/gtest.h>

namespace sandtrap::journal {
namespace {

std::string event(const std::string& second, const std::string& session, const std::string& name,
                  const std::string& fields = "") {
  return "{\"time\":\"2026-11-21T23:01:" + second + ".000000Z\",\"event\":\"" + name +
         "\",\"session\":\"" + session +
         "\",\"case\":\"2f1d34dd86a1\",\"source_ip\":\"192.0.2.7\"," + "\"source_port\":50123" +
         (fields.empty() ? "" : "," + fields) + "}";
}

struct Seen {
  std::vector<Session> all;
  SessionReader reader{[this](const Session& session) { all.push_back(session); }};
};

TEST(Sessions, AreToldFromTheirEvents) {
  Seen seen;
  for (const std::string& line :
       {event("01", "aaaaaaaaaaaa", "connection.opened"),
        event("02", "bbbbbbbbbbbb", "connection.opened"),
        event("03", "aaaaaaaaaaaa", "client.version", "\"version\":\"SSH-2.0-Go\""),
        event("04", "aaaaaaaaaaaa", "login.failed",
              "\"user\":\"root\",\"method\":\"password\",\"password\":\"1\""),
        event("05", "aaaaaaaaaaaa", "login.succeeded",
              "\"user\":\"root\",\"method\":\"password\",\"password\":\"2\""),
        event("06", "aaaaaaaaaaaa", "channel.exec", "\"channel\":0,\"command\":\"id\""),
        event("07", "aaaaaaaaaaaa", "channel.started",
              "\"channel\":0,\"sandbox\":\"9d01c3e5aa10\",\"recording\":\"recordings/x.cast\""),
        event("08", "bbbbbbbbbbbb", "login.failed", "\"user\":\"admin\",\"method\":\"password\""),
        event("09", "aaaaaaaaaaaa", "connection.closed",
              "\"reason\":\"x\",\"bytes_in\":3,\"bytes_out\":4,\"duration_us\":8000000")}) {
    seen.reader.line(line);
  }
  ASSERT_EQ(seen.all.size(), 1U);
  seen.reader.finish();
  ASSERT_EQ(seen.all.size(), 2U);
  const Session& a = seen.all[0];
  EXPECT_EQ(a.id, "aaaaaaaaaaaa");
  EXPECT_EQ(a.case_id, "2f1d34dd86a1");
  EXPECT_EQ(a.client, "SSH-2.0-Go");
  EXPECT_EQ(a.user + "/" + a.password, "root/2");
  EXPECT_TRUE(a.logged_in);
  EXPECT_EQ(a.attempts, 2U);
  EXPECT_EQ(a.duration_us, 8'000'000U);
  ASSERT_EQ(a.programs.size(), 1U);
  EXPECT_EQ(a.programs[0].command, "id");
  EXPECT_EQ(a.programs[0].recording, "recordings/x.cast");
  EXPECT_FALSE(seen.all[1].logged_in);
  EXPECT_EQ(seen.all[1].user, "admin");
  EXPECT_EQ(seen.all[1].closed, "");
}

TEST(Sessions, NothingInALineSurprisesTheReader) {
  Seen seen;
  for (const char* line :
       {"", "   ", "{", "[]", "\"session\":\"x\"", "{\"session\":\"aaaaaaaaaaaa\"}",
        "{\"session\":\"aaaaaaaaaaaa\",\"event\":7}",
        "{\"event\":\"connection.opened\",\"session\":\"\"}",
        "{\"event\":\"connection.closed\",\"session\":\"cccccccccccc\"}",
        "{\"event\":\"connection.opened\",\"session\":\"dddddddddddd\",\"time\":[],\"source_port\":"
        "-1}",
        "{\"event\":\"channel.started\",\"session\":\"dddddddddddd\",\"channel\":9}"}) {
    seen.reader.line(line);
  }
  seen.reader.finish();
  ASSERT_EQ(seen.all.size(), 1U);
  EXPECT_EQ(seen.all[0].id, "dddddddddddd");
}

TEST(Sessions, ProgramsAndOpenSessionsAreBounded) {
  Seen seen;
  seen.reader.line(event("01", "aaaaaaaaaaaa", "connection.opened"));
  for (int i = 0; i < 150; ++i) {
    seen.reader.line(
        event("02", "aaaaaaaaaaaa", "channel.exec", "\"channel\":0,\"command\":\"x\""));
  }
  seen.reader.finish();
  EXPECT_EQ(seen.all[0].programs.size(), SessionReader::kMaxPrograms);
  EXPECT_EQ(seen.all[0].more_programs, 50U);
}

TEST(SessionFilter, EveryConditionCounts) {
  Session session;
  session.id = "aaaaaaaaaaaa";
  session.case_id = "2f1d34dd86a1";
  session.source_ip = "192.0.2.7";
  session.user = "root";
  session.opened = "2026-11-21T23:01:45.000000Z";
  session.logged_in = true;
  struct Row {
    SessionFilter filter;
    bool matches;
  };
  const Row rows[] = {
      {{}, true},
      {{"192.0.2.", "", "", "", "", false}, true},
      {{"198.", "", "", "", "", false}, false},
      {{"", "root", "", "", "", false}, true},
      {{"", "admin", "", "", "", false}, false},
      {{"", "", "2f1d34dd86a1", "", "", false}, true},
      {{"", "", "000000000000", "", "", false}, false},
      {{"", "", "", "2026-11-21T23:01:45.000000Z", "", false}, true},
      {{"", "", "", "2026-11-21T23:01:46.000000Z", "", false}, false},
      {{"", "", "", "", "2026-11-21T23:01:46.000000Z", false}, true},
      {{"", "", "", "", "2026-11-21T23:01:45.000000Z", false}, false},
  };
  int number = 0;
  for (const Row& row : rows) EXPECT_EQ(row.filter.matches(session), row.matches) << number++;
  session.logged_in = false;
  EXPECT_FALSE(SessionFilter{}.matches(session));
  EXPECT_TRUE((SessionFilter{"", "", "", "", "", true}.matches(session)));
}

}  // namespace
}  // namespace sandtrap::journal
