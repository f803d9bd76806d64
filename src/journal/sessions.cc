#include "journal/sessions.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

namespace sandtrap::journal {
namespace {

namespace json = boost::json;

std::string text(const json::object& event, std::string_view key) {
  const json::value* value = event.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::uint64_t number(const json::object& event, std::string_view key) {
  const json::value* value = event.if_contains(key);
  if (value == nullptr) return 0;
  if (value->is_uint64()) return value->get_uint64();
  return value->is_int64() && value->get_int64() > 0
             ? static_cast<std::uint64_t>(value->get_int64())
             : 0;
}

void attempt(Session& session, const json::object& event, bool accepted) {
  ++session.attempts;
  if (session.logged_in) return;
  session.logged_in = accepted;
  session.user = text(event, "user");
  session.method = text(event, "method");
  session.password = text(event, "password");
}

void program(Session& session, const json::object& event, std::string_view kind) {
  if (session.programs.size() >= SessionReader::kMaxPrograms) {
    ++session.more_programs;
    return;
  }
  Session::Program one;
  one.kind = kind;
  one.command = text(event, "command");
  one.channel = static_cast<std::uint32_t>(number(event, "channel"));
  session.programs.push_back(std::move(one));
}

void started(Session& session, const json::object& event) {
  const std::uint64_t channel = number(event, "channel");
  const auto it =
      std::find_if(session.programs.rbegin(), session.programs.rend(),
                   [channel](const Session::Program& one) { return one.channel == channel; });
  if (it == session.programs.rend()) return;
  it->sandbox = text(event, "sandbox");
  it->recording = text(event, "recording");
}

void tell(Session& session, std::string_view name, const json::object& event) {
  // A case may only be known later, or be another one by then.
  if (std::string id = text(event, "case"); !id.empty()) session.case_id = std::move(id);
  if (name == "client.version") {
    session.client = text(event, "version");
  } else if (name == "client.kex") {
    session.hassh = text(event, "hassh");
  } else if (name == "login.failed" || name == "login.succeeded") {
    attempt(session, event, name == "login.succeeded");
  } else if (name == "channel.shell" || name == "channel.exec" || name == "channel.subsystem") {
    program(session, event, name.substr(8));
  } else if (name == "channel.started") {
    started(session, event);
  } else if (name == "connection.closed") {
    session.closed = text(event, "time");
    session.reason = text(event, "reason");
    session.duration_us = number(event, "duration_us");
    session.bytes_in = number(event, "bytes_in");
    session.bytes_out = number(event, "bytes_out");
  }
}

}  // namespace

bool SessionFilter::matches(const Session& session) const {
  return (all || session.logged_in) && session.source_ip.starts_with(source) &&
         (user.empty() || session.user == user) &&
         (case_id.empty() || session.case_id == case_id) &&
         (since.empty() || session.opened >= since) && (until.empty() || session.opened < until);
}

void SessionReader::line(std::string_view line) {
  // Most lines of a quiet sensor belong to a session; this is for the others.
  if (line.find("\"session\":\"") == std::string_view::npos) return;
  boost::system::error_code error;
  const json::value value = json::parse(json::string_view(line.data(), line.size()), error);
  if (error || !value.is_object()) {
    ++bad_;
    return;
  }
  const json::object& event = value.get_object();
  const std::string id = text(event, "session"), name = text(event, "event");
  if (id.empty()) return;
  auto it = open_.find(id);
  if (name == "connection.opened") {
    if (it == open_.end() && open_.size() >= kMaxOpen) {
      const auto oldest = std::min_element(
          open_.begin(), open_.end(),
          [](const auto& a, const auto& b) { return a.second.opened < b.second.opened; });
      found_(oldest->second);
      open_.erase(oldest);
    }
    Session& session = open_[id];
    session = Session{};
    session.id = id;
    session.opened = text(event, "time");
    session.source_ip = text(event, "source_ip");
    session.source_port = static_cast<std::uint16_t>(number(event, "source_port"));
    tell(session, name, event);
    return;
  }
  if (it == open_.end()) return;  // its beginning is in a file that was deleted
  tell(it->second, name, event);
  if (name != "connection.closed") return;
  found_(it->second);
  open_.erase(it);
}

void SessionReader::finish() {
  std::vector<const Session*> rest;
  for (const auto& [id, session] : open_) rest.push_back(&session);
  std::sort(rest.begin(), rest.end(),
            [](const Session* a, const Session* b) { return a->opened < b->opened; });
  for (const Session* session : rest) found_(*session);
  open_.clear();
}

}  // namespace sandtrap::journal
