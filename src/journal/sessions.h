// Sessions (connections) as the event log tells of them: lines in, one summary for each session
// out, when it has ended and at the end of the log. Pure. What is still open is all that is kept.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sandtrap::journal {

struct Session {
  std::string id, case_id, source_ip, opened, closed,
      reason;  // times as in the log; "": still open
  std::uint16_t source_port = 0;
  std::uint64_t duration_us = 0, bytes_in = 0, bytes_out = 0;
  std::string client, hassh;
  std::string user, method, password;  // of the login that was accepted, else of the last attempt
  bool logged_in = false;
  std::uint64_t attempts = 0;
  struct Program {
    std::string kind, command, sandbox, recording;  // shell, exec, subsystem
    std::uint32_t channel = 0;
  };
  std::vector<Program> programs;
  std::uint64_t more_programs = 0;  // beyond kMaxPrograms
};

struct SessionFilter {
  std::string source, user, case_id;  // source: a prefix; empty: all
  std::string since, until;           // of its opening; ISO 8601 as in the log
  bool all = false;                   // also those that nobody logged in with
  bool matches(const Session& session) const;
};

class SessionReader {
 public:
  static constexpr std::size_t kMaxPrograms = 100;
  static constexpr std::size_t kMaxOpen = 200'000;  // beyond that the one opened first is given out

  explicit SessionReader(std::function<void(const Session&)> found) : found_(std::move(found)) {}
  void line(std::string_view line);
  void finish();  // the log has ended: those that are open
  std::uint64_t bad_lines() const { return bad_; }

 private:
  std::function<void(const Session&)> found_;
  std::map<std::string, Session> open_;
  std::uint64_t bad_ = 0;
};

}  // namespace sandtrap::journal
