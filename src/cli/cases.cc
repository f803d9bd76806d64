// `sandtrap cases`, `sandtrap case`, `sandtrap cleanup`: from the casebook, or through the warden.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>

#include "app/configuration.h"
#include "base/instant.h"
#include "casebook/casebook.h"
#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/json_output.h"
#include "cli/printable.h"
#include "config/value.h"
#include "sandbox/label.h"
#include "warden/preserved.h"

namespace sandtrap::cli {
namespace json = boost::json;
namespace {

std::optional<std::vector<cases::Case>> read_cases(const config::Settings& settings) {
  auto book = casebook::Casebook::open(settings.data_dir, casebook::Casebook::Mode::kReadOnly);
  if (!book && book.error().code == base::Errc::kNotFound) return std::vector<cases::Case>();
  auto rows = book ? book->load_cases()
                   : base::Result<std::vector<cases::Case>>(tl::unexpected(book.error()));
  if (!rows) {
    fail(rows.error().context);
    return std::nullopt;
  }
  std::sort(rows->begin(), rows->end(), [](const cases::Case& a, const cases::Case& b) {
    return a.last_seen.micros > b.last_seen.micros;
  });
  return std::move(*rows);
}

json::object to_json(const cases::Case& one) {
  json::object out, box;
  out["id"] = one.id;
  out["source_ip"] = one.source_ip;
  out["created"] = base::to_iso8601(one.created);
  out["last_seen"] = base::to_iso8601(one.last_seen);
  out["visits"] = one.visits;
  json::array keys, earned;
  for (const cases::Key& key : one.keys) keys.emplace_back(printable(describe(key)));
  for (const cases::Earned& login : one.earned) {
    earned.emplace_back(json::object{{"user", printable(login.user)},
                                     {"password", printable(login.password)},
                                     {"since", base::to_iso8601(login.since)}});
  }
  out["keys"] = std::move(keys);
  out["earned"] = std::move(earned);
  box["id"] = one.sandbox.id;
  box["state"] = std::string(name(one.sandbox.state));
  box["reference"] = one.sandbox.reference;
  box["bytes"] = one.sandbox.bytes;
  out["sandbox"] = std::move(box);
  return out;
}

// Its sessions and recordings, from the label that lies with the sandbox; and its disk's size.
void add_label(const config::Settings& settings, const cases::Case& one, json::object& out) {
  if (!is_id(one.sandbox.id)) return;
  const bool preserved = one.sandbox.state == cases::SandboxState::kPreserved;
  const std::string folder =
      settings.data_dir + (preserved ? "/preserved/" : "/sandboxes/") + one.sandbox.id;
  const auto label = sandbox::read_label(folder + (preserved ? "/sandbox.json" : "/label.json"));
  if (label) {
    json::array sessions, recordings;
    for (const std::string& id : label->sessions) sessions.emplace_back(printable(id));
    for (const std::string& path : label->recordings) recordings.emplace_back(printable(path));
    out["sessions"] = std::move(sessions);
    out["recordings"] = std::move(recordings);
    out["hostname"] = printable(label->hostname);
  }
  struct stat disk {};
  if (::lstat((folder + "/disk.ext4").c_str(), &disk) == 0) {
    out["disk_bytes"] = static_cast<std::uint64_t>(disk.st_blocks) * 512;
  }
}

bool matches(const cases::Case& one, const CasesOptions& options, std::int64_t since) {
  const bool user = options.user.empty() ||
                    std::any_of(one.earned.begin(), one.earned.end(),
                                [&](const cases::Earned& e) { return e.user == options.user; });
  const bool matters =
      options.all || one.established || one.sandbox.state != cases::SandboxState::kNone;
  return user && matters && one.last_seen.micros >= since &&
         (options.state.empty() || name(one.sandbox.state) == options.state) &&
         one.source_ip.compare(0, options.source.size(), options.source) == 0;
}

void print_value(const std::string& indent, const json::value& value) {
  if (const auto* array = value.if_array()) {
    for (const json::value& item : *array) {
      fmt::print("\n{}  ", indent);
      print_value(indent + "  ", item);
    }
  } else if (const auto* object = value.if_object()) {
    bool first = true;
    for (const auto& [key, item] : *object) {
      fmt::print("{}{} ", std::exchange(first, false) ? "" : "  ",
                 std::string_view(key.data(), key.size()));
      print_value(indent + "  ", item);
    }
  } else if (const auto* text = value.if_string()) {
    fmt::print("{}", text->empty() ? "-" : std::string_view(text->data(), text->size()));
  } else {
    fmt::print("{}", json::serialize(value));
  }
}

int show(const config::Settings& settings, const CaseOptions& options) {
  const auto rows = read_cases(settings);
  if (!rows) return kFailed;
  const auto it = std::find_if(rows->begin(), rows->end(),
                               [&](const cases::Case& one) { return one.id == options.id; });
  if (it == rows->end()) return fail("no case " + options.id);
  json::object out = to_json(*it);
  add_label(settings, *it, out);
  if (options.json) {
    print_json(out);
    return kOk;
  }
  for (const auto& [key, value] : out) {
    fmt::print("{:12}", std::string_view(key.data(), key.size()));
    print_value("", value);
    fmt::print("\n");
  }
  return kOk;
}

// The answer, or the exit code after saying what is wrong.
base::Result<json::object> ask(const config::Settings& settings, const json::object& request) {
  auto answer = ask_warden(settings.run_dir, json::serialize(request));
  if (!answer) return tl::unexpected(answer.error());
  boost::system::error_code error;
  json::value value = json::parse(*answer, error);
  if (error || !value.is_object()) return base::fail(base::Errc::kIo, "an answer that is no JSON");
  if (const json::value* why = value.get_object().if_contains("error"); why && why->is_string()) {
    return base::fail(base::Errc::kDenied, std::string(why->get_string()));
  }
  return std::move(value.get_object());
}

int dry_run(const config::Settings& settings, const warden::Cleanup& wanted, bool as_json) {
  const auto kept = warden::scan_preserved(settings.data_dir + "/preserved");
  std::uint64_t bytes = 0;
  json::array rows;
  const auto chosen = warden::to_clean(kept, wanted, base::wall_now());
  for (const std::size_t i : chosen) {
    bytes += kept[i].bytes;
    if (as_json) {
      rows.emplace_back(json::object{{"sandbox", printable(kept[i].sandbox)},
                                     {"ended", base::to_iso8601(kept[i].ended)},
                                     {"bytes", kept[i].bytes},
                                     {"reference", printable(kept[i].reference)}});
      continue;
    }
    fmt::print("{}  {}  {:>10}  {}\n", kept[i].sandbox, base::to_iso8601(kept[i].ended),
               config::format_size(kept[i].bytes), printable(kept[i].reference));
  }
  if (as_json) {
    print_json(json::object{{"dry_run", true},
                            {"count", chosen.size()},
                            {"bytes", bytes},
                            {"of", kept.size()},
                            {"sandboxes", std::move(rows)}});
    return kOk;
  }
  fmt::print("{} of {} would be deleted, {}\n", chosen.size(), kept.size(),
             config::format_size(bytes));
  return kOk;
}

}  // namespace

int list_cases(const CasesOptions& options) {
  const auto settings = app::read_configuration(options.config);
  if (!settings) return kBadConfig;
  std::int64_t since = INT64_MIN;
  if (!options.since.empty()) {
    const auto span = config::parse_duration(options.since);
    if (!span)
      return fail("--since " + printable(options.since) + ": " + span.error().context, kUsage);
    since = base::wall_now().micros -
            std::chrono::duration_cast<std::chrono::microseconds>(*span).count();
  }
  auto rows = read_cases(*settings);
  if (!rows) return kFailed;
  std::erase_if(*rows, [&](const cases::Case& one) { return !matches(one, options, since); });
  if (options.json) {
    json::array out;
    for (const cases::Case& one : *rows) out.emplace_back(to_json(one));
    print_json(out);
    return kOk;
  }
  fmt::print("{:12}  {:39}  {:20}  {:>6}  {:9}  {:12}  {}\n", "CASE", "SOURCE", "LAST SEEN",
             "VISITS", "STATE", "SANDBOX", "EARNED");
  for (const cases::Case& one : *rows) {
    std::string earned;
    for (const cases::Earned& e : one.earned) earned += (earned.empty() ? "" : " ") + e.user;
    fmt::print("{:12}  {:39}  {:.19}Z  {:>6}  {:9}  {:12}  {}\n", one.id, printable(one.source_ip),
               base::to_iso8601(one.last_seen), one.visits, name(one.sandbox.state), one.sandbox.id,
               printable(earned));
  }
  return kOk;
}

int case_command(const CaseOptions& options) {
  if (!is_id(options.id)) return fail("not a case: " + printable(options.id), kUsage);
  const auto settings = app::read_configuration(options.config);
  if (!settings) return kBadConfig;
  if (options.action == "show") return show(*settings, options);
  const auto done = ask(*settings, {{"command", options.action}, {"case", options.id}});
  return done ? kOk : fail("case " + options.id + ": " + done.error().context);
}

int cleanup(const CleanupOptions& options) {
  const auto settings = app::read_configuration(options.config);
  if (!settings) return kBadConfig;
  warden::Cleanup wanted;
  json::object request{{"command", "cleanup"}};
  if (!options.older_than.empty()) {
    const auto span = config::parse_duration(options.older_than);
    if (!span) return fail("--older-than: " + span.error().context, kUsage);
    wanted.older_than = std::chrono::duration_cast<std::chrono::seconds>(*span);
    request["older_than"] = wanted.older_than->count();
  }
  if (!options.keep_bytes.empty()) {
    const auto size = config::parse_size(options.keep_bytes);
    if (!size) return fail("--keep-bytes: " + size.error().context, kUsage);
    wanted.keep_bytes = *size;
    request["keep_bytes"] = static_cast<std::int64_t>(std::min<std::uint64_t>(*size, INT64_MAX));
  }
  if (!wanted.older_than && !wanted.keep_bytes) {
    return fail("cleanup: say --older-than, --keep-bytes or both", kUsage);
  }
  if (options.dry_run) return dry_run(*settings, wanted, options.json);
  const auto done = ask(*settings, request);
  if (!done) return fail("cleanup: " + done.error().context);
  if (options.json) {
    print_json(json::object{
        {"dry_run", false}, {"count", done->at("count")}, {"bytes", done->at("bytes")}});
    return kOk;
  }
  fmt::print("{} deleted, {}\n", json::serialize(done->at("count")),
             config::format_size(done->at("bytes").to_number<std::uint64_t>()));
  return kOk;
}

}  // namespace sandtrap::cli
