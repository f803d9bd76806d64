// `sandtrap status`.
#include "cli/status.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>

#include "app/configuration.h"
#include "app/listening.h"
#include "app/locks.h"
#include "app/port_loan.h"
#include "base/fd.h"
#include "cli/colours.h"
#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/json_output.h"
#include "cli/printable.h"
#include "journal/names.h"

namespace sandtrap::cli {
namespace json = boost::json;
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxFiles = 200'000;  // so that it never takes long
constexpr off_t kTail = 1 << 20;              // of events.jsonl
constexpr std::chrono::seconds kPatience{3};  // with the warden

Usage usage_of(const std::string& folder, std::uint64_t limit) {
  Usage out;
  out.limit = limit;
  std::error_code error;
  fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    struct stat info {};
    if (::lstat(at->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    out.bytes += static_cast<std::uint64_t>(info.st_blocks) * 512;
    if (++out.files >= kMaxFiles) {
      out.more = true;
      break;
    }
  }
  return out;
}

std::optional<Status::Trouble> last_error(const std::string& data_dir) {
  const std::string path = data_dir + "/" + journal::kCurrent;
  const base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0) return std::nullopt;
  const off_t from = std::max<off_t>(0, info.st_size - kTail);
  std::string tail(static_cast<std::size_t>(info.st_size - from), '\0');
  const ssize_t got = ::pread(file.get(), tail.data(), tail.size(), from);
  tail.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  const std::size_t at = tail.rfind("\"event\":\"error\"");
  if (at == std::string::npos) return std::nullopt;
  const std::size_t line_end = std::min(tail.find('\n', at), tail.size());
  const std::size_t before = tail.rfind('\n', at);
  const std::size_t begin = before == std::string::npos ? 0 : before + 1;
  boost::system::error_code error;
  const auto value = json::parse(tail.substr(begin, line_end - begin), error);
  if (error || !value.is_object()) return std::nullopt;
  const auto text = [&value](std::string_view key) {
    const auto* field = value.get_object().if_contains(key);
    return field != nullptr && field->is_string() ? std::string(field->get_string()) : "";
  };
  return Status::Trouble{text("time"), text("where"), text("what")};
}

void look_at_data(const config::Settings& s, Status& out) {
  struct statvfs volume {};
  if (::statvfs(s.data_dir.c_str(), &volume) == 0) {
    out.disk_free = std::uint64_t{volume.f_bavail} * volume.f_frsize;
    out.disk_least = s.disk.min_free_bytes;
  }
  out.last_error = last_error(s.data_dir);
}

void count_data(const config::Settings& s, Status& out) {
  out.recordings = usage_of(s.data_dir + "/recordings", s.disk.recordings_bytes);
  out.logs = usage_of(s.data_dir + "/" + journal::kFolder, s.disk.logs_bytes);
  struct stat current {};
  if (::lstat((s.data_dir + "/" + journal::kCurrent).c_str(), &current) == 0) {
    out.logs.bytes += static_cast<std::uint64_t>(current.st_blocks) * 512;
    ++out.logs.files;
  }
  out.preserved = usage_of(s.data_dir + "/preserved", s.preservation.max_bytes);
}

// What runs has loaded another configuration than the broken one that lies there now. That one's
// run_dir, as far as it could be read; else that of containers.
std::string folder_of_locks(const std::string& run_dir) {
  std::error_code error;
  if (fs::is_directory(run_dir, error)) return run_dir;
  return fs::path(run_dir).parent_path().string();
}

json::object to_json(const Usage& usage) {
  return {{"bytes", usage.bytes},
          {"limit", usage.limit},
          {"files", usage.files},
          {"incomplete", usage.more}};
}

json::object figures_of(const Status& status) {
  boost::system::error_code error;
  const auto value = json::parse(status.warden, error);
  return error || !value.is_object() ? json::object() : value.get_object();
}

// "engine … failing" is the operator's first question, budgets the second.
std::string warden_rows(const json::object& figures, bool colours) {
  const auto number = [](const json::object& from, std::string_view key) {
    const json::value* value = from.if_contains(key);
    return value != nullptr && value->is_number() ? value->to_number<std::uint64_t>() : 0;
  };
  std::string out;
  if (const auto* pool = figures.if_contains("pool"); pool != nullptr && pool->is_object()) {
    const json::object& at = pool->get_object();
    const json::value* failing = at.if_contains("failing");
    const bool fails = failing != nullptr && failing->is_bool() && failing->get_bool();
    out += fmt::format("{:12}  {} warm of {}, {} starting, {} in all, {} wait{}\n", "pool",
                       number(at, "warm"), number(at, "target"), number(at, "starting"),
                       number(at, "total"), number(at, "waiting"),
                       fails ? ": " + coloured("the engine fails", Colour::kRed, colours) : "");
  }
  if (const auto* cases = figures.if_contains("cases"); cases != nullptr && cases->is_object()) {
    const json::object& at = cases->get_object();
    out += fmt::format("{:12}  {} known, {} of {} running, {} of {} frozen, {} of {} MiB\n",
                       "cases", number(at, "known"), number(at, "running"),
                       number(at, "max_running"), number(at, "frozen"), number(at, "max_frozen"),
                       number(at, "frozen_memory") >> 20, number(at, "max_frozen_memory") >> 20);
  }
  return out;
}

std::string row(std::string_view what, const Usage& usage) {
  return fmt::format("{:12}  {}{} MiB of {} MiB, {} files\n", what, usage.more ? "more than " : "",
                     usage.bytes >> 20, usage.limit >> 20, usage.files);
}

}  // namespace

Status gather_status(const config::Settings& s, const StatusView& view) {
  Status out;
  const std::string& role = view.role;
  for (const char* name : {"gate", "warden", "scribe"}) {
    if (!role.empty() && role != name) continue;
    out.roles.push_back({name, app::role_runs(s.run_dir, name)});
  }
  if (view.locks_alone) {
    if (role == "port") out.ports.push_back({s.run_dir, app::lends_ports(s.run_dir), false});
    return out;
  }
  if (role.empty() || role == "gate" || role == "port") {
    const bool lends = role == "gate" && app::lends_ports(s.run_dir);
    for (const std::string& address : s.server.listen) {
      const bool open = app::is_listened_to(address);
      out.ports.push_back({address, open, lends && !open});
    }
  }
  out.engine = s.container_pool.engine;
  out.data_dir = s.data_dir;
  out.sees_data = role.empty() || role == "warden" || role == "scribe";
  if (out.sees_data) look_at_data(s, out);
  out.counted = out.sees_data && !view.brief;
  if (out.counted) count_data(s, out);
  if (role.empty() || role == "warden") {
    auto answer = ask_warden(s.run_dir, R"({"command":"status"})", kPatience);
    if (answer) {
      out.warden = std::move(*answer);
    } else {
      out.warden_silent = answer.error().context;
      out.warden_hangs = ::geteuid() == 0 && app::role_runs(s.run_dir, "warden");
    }
  }
  return out;
}

bool is_healthy(const Status& status) {
  const bool run = std::all_of(status.roles.begin(), status.roles.end(),
                               [](const Status::Role& role) { return role.running; });
  const bool open = std::all_of(status.ports.begin(), status.ports.end(),
                                [](const Status::Port& port) { return port.open || port.lent; });
  const bool room = !status.sees_data || status.disk_free >= status.disk_least;
  return run && open && room && !status.warden_hangs;
}

std::string as_json(const Status& status) {
  json::object out{{"healthy", is_healthy(status)}};
  json::object roles, ports;
  for (const Status::Role& role : status.roles) roles[role.name] = role.running;
  for (const Status::Port& port : status.ports) {
    ports[port.address] = port.lent ? json::value(nullptr) : json::value(port.open);
  }
  out["roles"] = std::move(roles);
  out["ports"] = std::move(ports);
  out["engine"] = status.engine;
  out["data_dir"] = status.data_dir;
  out["disk"] = nullptr;
  if (status.sees_data) {
    out["disk"] = json::object{{"free", status.disk_free}, {"least", status.disk_least}};
  }
  const std::pair<const char*, const Usage&> parts[] = {
      {"recordings", status.recordings}, {"logs", status.logs}, {"preserved", status.preserved}};
  for (const auto& [name, usage] : parts) {
    out[name] = status.counted ? json::value(to_json(usage)) : json::value(nullptr);
  }
  json::object figures = figures_of(status);
  for (const char* part : {"pool", "cases"}) {
    const json::value* given = figures.if_contains(part);
    out[part] = given != nullptr ? *given : json::value(nullptr);
  }
  if (status.last_error) {
    out["last_error"] = json::object{{"time", printable(status.last_error->time)},
                                     {"where", printable(status.last_error->where)},
                                     {"what", printable(status.last_error->what)}};
  } else {
    out["last_error"] = nullptr;
  }
  return json_text(out) + "\n";
}

std::string as_text(const Status& status, bool colours) {
  const auto verdict = [colours](bool good, std::string_view yes, std::string_view no) {
    return coloured(good ? yes : no, good ? Colour::kGreen : Colour::kRed, colours);
  };
  std::string out;
  for (const Status::Role& role : status.roles) {
    out += fmt::format("{:12}  {}\n", role.name, verdict(role.running, "running", "not running"));
  }
  for (const Status::Port& port : status.ports) {
    out += fmt::format("{:12}  {} {}\n", "port", port.address,
                       port.lent ? "lent by `sandtrap listen`, not to be seen from here"
                                 : verdict(port.open, "open", "closed"));
  }
  if (status.sees_data) {
    out += fmt::format("{:12}  {}\n", "engine", status.engine);
    out += fmt::format("{:12}  {}, {} MiB free{}\n", "data folder", status.data_dir,
                       status.disk_free >> 20,
                       status.disk_free < status.disk_least
                           ? verdict(false, "", ": nobody gets a shell (disk.min_free_bytes)")
                           : "");
  }
  out += warden_rows(figures_of(status), colours);
  if (!status.warden_silent.empty()) {
    out += fmt::format("{:12}  not known: {}\n", "pool, cases", printable(status.warden_silent));
  }
  if (status.counted) {
    out += row("recordings", status.recordings) + row("logs", status.logs) +
           row("preserved", status.preserved);
  }
  if (status.last_error) {
    out += fmt::format("{:12}  {} {}: {}\n", "last error", printable(status.last_error->time),
                       printable(status.last_error->where), printable(status.last_error->what));
  }
  return out;
}

int status(const StatusOptions& options) {
  config::LoadResult loaded = app::load_configuration(options.config);
  config::Settings& settings = loaded.settings;
  for (const config::Problem& problem : loaded.problems) {
    fmt::print(stderr, "{}\n", config::to_string(problem));
  }
  const bool broken = !loaded.problems.empty();
  if (broken && !options.brief) return kBadConfig;
  if (broken) {
    settings.run_dir = folder_of_locks(settings.run_dir);
    fmt::print(stderr, "the configuration does not load: only the locks in {} were looked at\n",
               printable(settings.run_dir));
  }
  const Status found = gather_status(settings, {options.role, options.brief, broken});
  fmt::print("{}", options.json ? as_json(found) : as_text(found, wants_colours(stdout)));
  return is_healthy(found) ? kOk : kFailed;
}

}  // namespace sandtrap::cli
