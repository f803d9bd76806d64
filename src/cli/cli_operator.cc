#include "cli/cli_operator.h"

#include <CLI/CLI.hpp>

namespace sandtrap::cli {
namespace {

constexpr const char* kSessionsExamples =
    "Examples:\n"
    "  sandtrap sessions                          who logged in, the newest last\n"
    "  sandtrap sessions --since 24h --source 192.0.2.\n"
    "  sandtrap sessions --all --user admin       also who only tried\n"
    "  sandtrap sessions --json | jq -r '.[] | .programs[].command'\n"
    "\n"
    "Reads events.jsonl and what it was rotated into, compressed or not. Works while sandtrap "
    "runs\n"
    "and while it does not. What attackers sent is escaped for the terminal.";
constexpr const char* kReplayExamples =
    "Examples:\n"
    "  sandtrap replay recordings/2026-11-21/230145-192.0.2.7-4f1c09ab7d22-0.cast\n"
    "  sandtrap replay --speed 4 --idle-limit 500ms FILE\n"
    "  sandtrap replay --cat FILE                 all of it at once\n"
    "\n"
    "Keys: space holds and goes on, '.' one step while held, + and - the speed, q ends.\n"
    "Control sequences that a terminal would act upon (titles, the clipboard, queries) are left\n"
    "out; docs/operations.md has the list.";
constexpr const char* kDoctorExamples =
    "Examples:\n"
    "  sandtrap doctor                            the defaults, or /etc/sandtrap/config.yaml\n"
    "  sandtrap doctor --config my.yaml --json\n"
    "\n"
    "Says what this machine has, what follows from it, and what to do; changes nothing. Run it as\n"
    "root to have all of it looked at. Exit status: 0 sandtrap can run, 1 something prevents it.";
constexpr const char* kStatusExamples =
    "Examples:\n"
    "  sandtrap status                            the roles, the ports, the disk, the last error\n"
    "  sandtrap status --json | jq .disk\n"
    "  sandtrap status --brief --role gate        in a container of one role: its healthcheck\n"
    "  sandtrap status --role port                the ports alone, where `sandtrap listen` runs\n"
    "\n"
    "Looks from outside and asks no role, so it also answers while one hangs. Exit status: 0 "
    "every\n"
    "role runs, its ports are open and the disk has room; 1 otherwise.";
constexpr const char* kCompletionExamples =
    "Examples:\n"
    "  sandtrap completion bash > /usr/share/bash-completion/completions/sandtrap\n"
    "  sandtrap completion zsh > /usr/share/zsh/vendor-completions/_sandtrap\n"
    "  sandtrap completion fish > /usr/share/fish/vendor_completions.d/sandtrap.fish\n"
    "\n"
    "For one shell only: source <(sandtrap completion bash)";

CLI::Option* add_config(CLI::App* app, std::string& value) {
  return app->add_option("--config", value, "Configuration file (YAML)")->type_name("FILE");
}

}  // namespace

void OperatorCommandLine::add(CLI::App& app) {
  CLI::App* list = app.add_subcommand("sessions", "List the sessions of the event log");
  list->footer(kSessionsExamples);
  add_config(list, sessions.config);
  list->add_option("--source", sessions.source, "Those whose address begins like this")
      ->type_name("TEXT");
  list->add_option("--user", sessions.user, "Those who logged in, or tried last, as this user")
      ->type_name("NAME");
  list->add_option("--case", sessions.case_id, "Those of this case")->type_name("ID");
  list->add_option("--since", sessions.since, "Those begun within this time")
      ->type_name("DURATION");
  list->add_option("--until", sessions.until, "Those begun longer ago than this")
      ->type_name("DURATION");
  list->add_flag("--all", sessions.all, "Also those in which nobody logged in");
  list->add_flag("--json", sessions.json, "As a JSON array");

  CLI::App* play = app.add_subcommand("replay", "Play a recording in the terminal");
  play->footer(kReplayExamples);
  play->add_option("file", replay.file, "A recording, .cast")->type_name("FILE")->required();
  play->add_option("--speed", replay.speed, "So many times as fast")
      ->type_name("FACTOR")
      ->check(CLI::Range(0.01, 1000.0));
  play->add_option("--idle-limit", replay.idle_limit, "No pause is longer; 0: as they were; 2s")
      ->type_name("DURATION");
  play->add_flag("--input", replay.input, "Also show what was typed, in reverse colours");
  play->add_flag("--cat", replay.cat, "All of it at once");

  CLI::App* check = app.add_subcommand("doctor", "Look at this machine: can sandtrap run here");
  check->footer(kDoctorExamples);
  add_config(check, doctor.config);
  check->add_flag("--json", doctor.json, "As a JSON object");

  CLI::App* how = app.add_subcommand("status", "Say how the honeypot on this machine is");
  how->footer(kStatusExamples);
  add_config(how, status.config);
  how->add_option("--role", status.role, "Of this role alone: gate, warden or scribe; or port")
      ->type_name("ROLE")
      ->check(CLI::IsMember({"gate", "warden", "scribe", "port"}));
  how->add_flag("--brief", status.brief, "Count no files: for healthchecks");
  how->add_flag("--json", status.json, "As a JSON object");

  CLI::App* complete = app.add_subcommand("completion", "Print the completions of a shell");
  complete->footer(kCompletionExamples);
  complete->add_option("shell", completion.shell, "bash, zsh or fish")
      ->required()
      ->type_name("SHELL")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
}

std::optional<Command> OperatorCommandLine::parsed(const CLI::App& app) {
  if (app.got_subcommand("sessions")) return sessions;
  if (app.got_subcommand("replay")) return replay;
  if (app.got_subcommand("doctor")) return doctor;
  if (app.got_subcommand("status")) return status;
  return std::nullopt;
}

}  // namespace sandtrap::cli
