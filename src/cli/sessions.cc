// `sandtrap sessions`: the event log as a list of sessions.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>

#include "app/configuration.h"
#include "base/instant.h"
#include "cli/commands.h"
#include "cli/json_output.h"
#include "cli/printable.h"
#include "config/value.h"
#include "journal/reader.h"
#include "journal/sessions.h"

namespace sandtrap::cli {
namespace json = boost::json;
namespace {

using journal::Session;

json::object to_json(const Session& one) {
  json::object out;
  out["id"] = one.id;
  out["case"] = one.case_id;
  out["opened"] = one.opened;
  if (one.closed.empty()) {
    out["closed"] = nullptr;
  } else {
    out["closed"] = one.closed;
    out["duration_us"] = one.duration_us;
    out["reason"] = one.reason;
    out["bytes_in"] = one.bytes_in;
    out["bytes_out"] = one.bytes_out;
  }
  out["source_ip"] = one.source_ip;
  out["source_port"] = one.source_port;
  out["client"] = one.client;
  out["hassh"] = one.hassh;
  out["logged_in"] = one.logged_in;
  out["attempts"] = one.attempts;
  out["user"] = one.user;
  out["method"] = one.method;
  out["password"] = one.password;
  json::array programs;
  for (const Session::Program& program : one.programs) {
    programs.emplace_back(json::object{{"kind", program.kind},
                                       {"command", program.command},
                                       {"channel", program.channel},
                                       {"sandbox", program.sandbox},
                                       {"recording", program.recording}});
  }
  out["programs"] = std::move(programs);
  if (one.more_programs > 0) out["more_programs"] = one.more_programs;
  return out;
}

std::string shortened(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  text.resize(most - 3);
  return text + "...";
}

std::string what(const Session& one) {
  std::string out;
  for (const Session::Program& program : one.programs) {
    if (!out.empty()) out += "; ";
    out += program.kind == "exec" ? printable(program.command) : "<" + program.kind + ">";
    if (out.size() > 60) break;
  }
  return shortened(out, 60);
}

void print_row(const Session& one) {
  const std::string login = one.method.empty()
                                ? "-"
                                : fmt::format("{}{}/{}", one.logged_in ? "" : "!",
                                              printable(one.user), printable(one.password));
  const std::string lasted =
      one.closed.empty() ? "open"
                         : fmt::format("{:.1f}s", static_cast<double>(one.duration_us) / 1e6);
  fmt::print("{:.19}Z  {:12}  {:12}  {:15}  {:>9}  {:24}  {}\n", one.opened, one.id, one.case_id,
             printable(one.source_ip), lasted, shortened(login, 24), what(one));
}

// "24h" → the time that long ago; an error was printed if nothing.
std::optional<std::string> ago(const char* option, const std::string& text) {
  if (text.empty()) return "";
  const auto span = config::parse_duration(text);
  if (!span) {
    fmt::print(stderr, "sandtrap sessions: {} {}: {}\n", option, printable(text),
               span.error().context);
    return std::nullopt;
  }
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(*span).count();
  return base::to_iso8601({base::wall_now().micros - micros});
}

}  // namespace

int list_sessions(const SessionsOptions& options) {
  const auto since = ago("--since", options.since), until = ago("--until", options.until);
  if (!since || !until) return kUsage;
  const auto settings = app::read_configuration(options.config);
  if (!settings) return kBadConfig;
  auto reader = journal::Reader::open(settings->data_dir);
  if (!reader) {
    fmt::print(stderr, "sandtrap sessions: {}\n", reader.error().context);
    return kFailed;
  }
  const journal::SessionFilter filter{options.source, options.user, options.case_id,
                                      *since,         *until,       options.all};
  bool first = true;
  if (options.json) {
    fmt::print("[");
  } else {
    fmt::print("{:20}  {:12}  {:12}  {:15}  {:>9}  {:24}  {}\n", "OPENED", "SESSION", "CASE",
               "SOURCE", "LASTED", "LOGIN", "PROGRAMS");
  }
  journal::SessionReader sessions([&](const Session& one) {
    if (!filter.matches(one)) return;
    if (!options.json) return print_row(one);
    fmt::print("{}\n{}", std::exchange(first, false) ? "" : ",", json_text(to_json(one)));
  });
  while (const auto line = reader->next()) sessions.line(*line);
  sessions.finish();
  if (options.json) fmt::print("\n]\n");
  for (const std::string& problem : reader->problems()) {
    fmt::print(stderr, "sandtrap sessions: {}\n", printable(problem));
  }
  return reader->problems().empty() ? kOk : kFailed;
}

}  // namespace sandtrap::cli
