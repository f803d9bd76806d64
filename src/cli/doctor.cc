// `sandtrap doctor`.
#include "cli/doctor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>

#include "app/configuration.h"
#include "cli/colours.h"
#include "cli/commands.h"
#include "cli/json_output.h"

namespace sandtrap::cli {
namespace json = boost::json;
namespace {

std::string_view name(Finding::Level level) {
  switch (level) {
    case Finding::Level::kGood:
      return "good";
    case Finding::Level::kNote:
      return "note";
    case Finding::Level::kPrevents:
      return "prevents";
  }
  return "";
}

}  // namespace

Findings examine_all(const config::Settings& s) {
  Findings all = {
      examine_rights(),   examine_kernel(),       examine_cgroups(s),   examine_user_namespaces(s),
      examine_overlay(s), examine_loop(s),        examine_idmap(s),     examine_seccomp(),
      examine_engine(s),  examine_image(s),       examine_accounts(s),  examine_data_folder(s),
      examine_disk(s),    examine_descriptors(s), examine_terminals(s), examine_clock()};
  for (Finding& one : examine_ports(s)) all.push_back(std::move(one));
  return all;
}

bool can_run(const Findings& findings) {
  return std::none_of(findings.begin(), findings.end(),
                      [](const Finding& one) { return one.level == Finding::Level::kPrevents; });
}

std::string as_json(const Findings& findings) {
  json::array list;
  for (const Finding& one : findings) {
    list.emplace_back(json::object{{"topic", one.topic},
                                   {"level", name(one.level)},
                                   {"found", one.found},
                                   {"follows", one.follows},
                                   {"todo", one.todo}});
  }
  return json_text(json::object{{"can_run", can_run(findings)}, {"findings", list}}) + "\n";
}

std::string as_text(const Findings& findings, bool colours) {
  std::string out;
  for (const Finding& one : findings) {
    const Colour colour = one.level == Finding::Level::kGood   ? Colour::kGreen
                          : one.level == Finding::Level::kNote ? Colour::kYellow
                                                               : Colour::kRed;
    out += fmt::format("{}  {:15}  {}\n",
                       coloured(fmt::format("{:8}", name(one.level)), colour, colours), one.topic,
                       one.found);
    if (!one.follows.empty()) out += fmt::format("{:27}so: {}\n", "", one.follows);
    if (!one.todo.empty()) out += fmt::format("{:27}do: {}\n", "", one.todo);
  }
  out += can_run(findings) ? "\nsandtrap can run on this machine.\n"
                           : "\nsandtrap cannot run on this machine as it is.\n";
  return out;
}

int doctor(const DoctorOptions& options) {
  const auto settings = app::read_configuration(options.config);
  if (!settings) return kBadConfig;
  const Findings findings = examine_all(*settings);
  fmt::print("{}", options.json ? as_json(findings) : as_text(findings, wants_colours(stdout)));
  return can_run(findings) ? kOk : kFailed;
}

}  // namespace sandtrap::cli
