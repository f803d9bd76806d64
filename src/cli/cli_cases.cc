#include "cli/cli_cases.h"

#include <CLI/CLI.hpp>

namespace sandtrap::cli {
namespace {

constexpr const char* kCasesExamples =
    "Examples:\n"
    "  sandtrap cases\n"
    "  sandtrap cases --state frozen --since 24h\n"
    "  sandtrap cases --json | jq '.[] | select(.visits > 5)'\n"
    "\n"
    "Cases with an accepted login or a sandbox, the one seen last first. Works while sandtrap "
    "runs\n"
    "and while it does not.";
constexpr const char* kCaseExamples =
    "Examples:\n"
    "  sandtrap case show 2f1d34dd86a1\n"
    "  sandtrap case freeze 2f1d34dd86a1   stands still until it is thawed or its attacker "
    "returns\n"
    "  sandtrap case stop 2f1d34dd86a1     stops its sandbox and preserves the disk\n"
    "  sandtrap case drop 2f1d34dd86a1     forgets the case and DELETES its sandbox\n"
    "\n"
    "All but show need a running sandtrap, and a case without sessions.";
constexpr const char* kSandboxExamples =
    "Examples:\n"
    "  sandtrap sandbox diff 9d01c3e5aa10\n"
    "  sandtrap sandbox export 9d01c3e5aa10 evidence.tar.zst\n"
    "  sandtrap sandbox export --rootfs 9d01c3e5aa10 machine.tar.zst\n"
    "\n"
    "diff: A added, C changed, D deleted; names are escaped for the terminal. Running, frozen and\n"
    "preserved sandboxes alike; nothing in them is run, and no link is followed.";
constexpr const char* kCleanupExamples =
    "Examples:\n"
    "  sandtrap cleanup --dry-run --older-than 7d\n"
    "  sandtrap cleanup --keep-bytes 10GiB\n"
    "\n"
    "Deletes preserved sandboxes, the oldest first. Running and frozen ones are never touched.";

CLI::Option* add_config(CLI::App* app, std::string& value) {
  return app->add_option("--config", value, "Configuration file that names the folders")
      ->type_name("FILE");
}

}  // namespace

void CaseCommandLine::add(CLI::App& app) {
  CLI::App* cases = app.add_subcommand("cases", "List the cases (attackers)");
  cases->footer(kCasesExamples);
  add_config(cases, list.config);
  cases->add_flag("--json", list.json, "As a JSON array");
  cases->add_flag("--all", list.all, "Also those without an accepted login and without a sandbox");
  cases->add_option("--source", list.source, "Those whose address begins like this")
      ->type_name("TEXT");
  cases->add_option("--state", list.state, "Those whose sandbox is in this state")
      ->type_name("STATE")
      ->check(CLI::IsMember({"none", "running", "frozen", "preserved"}));
  cases->add_option("--user", list.user, "Those who earned a login of this user")
      ->type_name("NAME");
  cases->add_option("--since", list.since, "Those seen within this time")->type_name("DURATION");

  CLI::App* single = app.add_subcommand("case", "Show or steer one case");
  single->footer(kCaseExamples);
  add_config(single, one.config);
  single->add_option("action", one.action, "show, stop, freeze, thaw or drop")
      ->required()
      ->check(CLI::IsMember({"show", "stop", "freeze", "thaw", "drop"}));
  single->add_option("id", one.id, "The case, 12 hex digits")->required();
  single->add_flag("--json", one.json, "show: as a JSON object");

  CLI::App* box = app.add_subcommand("sandbox", "Look into a sandbox");
  box->footer(kSandboxExamples);
  box->require_subcommand(1);
  CLI::App* diff = box->add_subcommand("diff", "What the attacker added, changed and deleted");
  diff->footer(kSandboxExamples);
  add_config(diff, sandbox.config);
  diff->add_option("id", sandbox.id, "The sandbox, 12 hex digits")->required();
  diff->add_flag("--json", sandbox.json, "As a JSON array");
  CLI::App* exported = box->add_subcommand("export", "Write its files into an archive");
  exported->footer(kSandboxExamples);
  add_config(exported, sandbox.config);
  exported->add_option("id", sandbox.id, "The sandbox, 12 hex digits")->required();
  exported->add_option("file", sandbox.file, "A new file, .tar.zst")->required();
  exported->add_flag("--json", sandbox.json, "Say what was written as a JSON object");
  exported->add_flag("--rootfs", sandbox.rootfs, "The whole machine, not only what was written");

  CLI::App* clean = app.add_subcommand("cleanup", "Delete preserved sandboxes");
  clean->footer(kCleanupExamples);
  add_config(clean, cleanup.config);
  clean->add_option("--older-than", cleanup.older_than, "Those older than this")
      ->type_name("DURATION");
  clean->add_option("--keep-bytes", cleanup.keep_bytes, "The oldest, until this much is left")
      ->type_name("SIZE");
  clean->add_flag("--dry-run", cleanup.dry_run, "Only say what would be deleted");
  clean->add_flag("--json", cleanup.json, "As a JSON object");
}

std::optional<Command> CaseCommandLine::parsed(const CLI::App& app) {
  if (app.got_subcommand("cases")) return list;
  if (app.got_subcommand("case")) return one;
  if (app.got_subcommand("cleanup")) return cleanup;
  if (!app.got_subcommand("sandbox")) return std::nullopt;
  sandbox.action = app.get_subcommand("sandbox")->got_subcommand("diff") ? "diff" : "export";
  return sandbox;
}

}  // namespace sandtrap::cli
