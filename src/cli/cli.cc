#include "cli/cli.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>

#include "cli/cli_cases.h"
#include "cli/cli_operator.h"
#include "cli/colours.h"
#include "cli/completion.h"
#include "cli/help_colours.h"

namespace sandtrap::cli {
namespace {

const std::map<std::string, app::RoleKind> kRoles = {{"gate", app::RoleKind::kGate},
                                                     {"warden", app::RoleKind::kWarden},
                                                     {"scribe", app::RoleKind::kScribe}};

constexpr const char* kProgramHelp =
    "An SSH honeypot: every attacker gets a real, isolated machine; every byte is kept.";
constexpr const char* kProgramExamples =
    "Examples:\n"
    "  sandtrap check /etc/sandtrap/config.yaml\n"
    "  sandtrap image build\n"
    "  sandtrap serve --config /etc/sandtrap/config.yaml\n"
    "\n"
    "Exit status: 0 success, 1 failure, 2 wrong command line, 77 not root, 78 bad configuration.";
constexpr const char* kServeExamples =
    "Examples:\n"
    "  sandtrap serve                             the defaults, or /etc/sandtrap/config.yaml\n"
    "  sandtrap serve --config my.yaml\n"
    "  sandtrap serve --config my.yaml --role gate   one role alone; the roles meet in run_dir\n"
    "\n"
    "Runs in the foreground and prints `sandtrap ready` when it accepts connections.\n"
    "SIGTERM, SIGINT: stops, sessions may go on for server.drain_grace; a second one: at once.\n"
    "SIGHUP: reads the configuration again.";
constexpr const char* kCheckExamples =
    "Examples:\n"
    "  sandtrap check config.yaml\n"
    "  sandtrap check --json config.yaml | jq '.problems[].line'\n"
    "\n"
    "Prints every problem as file:line:column: what, and what is allowed; exit status 78.";
constexpr const char* kPersonasExamples =
    "Examples:\n"
    "  sandtrap personas                          what server.persona and persona_revision allow\n"
    "  sandtrap personas --legacy                 the fingerprints with server.legacy: true\n"
    "  sandtrap personas my-persona.yaml          checks and lists a file for server.persona_file\n"
    "\n"
    "Prints name, revision, banner and hasshServer; `*` marks the default revision.";
constexpr const char* kKeygenExamples =
    "Examples:\n"
    "  sandtrap keygen --config my.yaml           into the folder server.host_key_dir\n"
    "  sandtrap keygen --dir /etc/sandtrap/keys\n"
    "\n"
    "`sandtrap serve` makes the keys that are missing by itself.";
constexpr const char* kImageExamples =
    "Examples:\n"
    "  sandtrap image build\n"
    "  sandtrap image build --output /srv/guest   then set oci.image: /srv/guest/debian-12/rootfs\n"
    "\n"
    "Needs root, mmdebstrap and a Debian mirror. The same inputs give the same image; a second\n"
    "call with unchanged inputs returns at once.";

constexpr const char* kPolicyExamples =
    "Examples:\n"
    "  sandtrap policy test root 123456                      the first try of an attacker\n"
    "  sandtrap policy test --tries 4 root 123456            the same four times\n"
    "  sandtrap policy test --source 198.51.100.7 admin admin\n"
    "  sandtrap policy test --method publickey root\n"
    "  sandtrap policy test --json root 123456 | jq -r .decided_by\n"
    "\n"
    "Exit status: 0 the last try is let in, 1 it is refused.";

constexpr const char* kVerifyExamples =
    "Examples:\n"
    "  sandtrap verify                            the defaults, or /etc/sandtrap/config.yaml\n"
    "  sandtrap verify --config my.yaml --json\n"
    "  sandtrap verify --waive no-new-privileges --waive setuid-program\n"
    "\n"
    "Needs root, and may run beside a honeypot that serves. Exit status: 0 everything held,\n"
    "1 a check failed or could not be made, 2 wrong command line.";

constexpr const char* kListenExamples =
    "Examples:\n"
    "  sandtrap listen --config my.yaml\n"
    "  sandtrap serve --config my.yaml --role gate --borrow-ports\n"
    "\n"
    "For a gate in a container without a network: opens server.listen in this network and hands "
    "the\n"
    "sockets to the gate over run_dir/ports.sock. Reads nothing from them.";

struct Parsed {
  app::ServeOptions serve;
  ListenOptions listen;
  std::string role;
  CheckOptions check;
  PersonasOptions personas;
  KeygenOptions keygen;
  ImageOptions image;
  VerifyOptions verify;
  ConfigDocumentOptions document;
  PolicyTestOptions policy;
  std::string hidden_role;
  OperatorCommandLine of_operator;
  CaseCommandLine cases;
};

void add_policy(CLI::App& app, PolicyTestOptions& p) {
  CLI::App* policy = app.add_subcommand("policy", "The login policy");
  policy->require_subcommand(1);
  policy->footer(kPolicyExamples);
  CLI::App* test = policy->add_subcommand("test", "Which rule decides a login, and why");
  test->footer(kPolicyExamples);
  test->add_option("user", p.user, "User name")->type_name("USER")->required();
  test->add_option("password", p.password, "Password")->type_name("PASSWORD");
  test->add_option("--config", p.config, "Configuration file (YAML)")->type_name("FILE");
  test->add_option("--source", p.source, "Address of the attacker")->type_name("IP");
  test->add_option("--tries", p.tries, "Try it that often")
      ->type_name("N")
      ->check(CLI::Range(1U, 1000U));
  test->add_option("--method", p.method, "password, keyboard-interactive, publickey or none")
      ->type_name("METHOD")
      ->check(CLI::IsMember({"password", "keyboard-interactive", "publickey", "none"}));
  test->add_option("--key-type", p.key_type, "Algorithm of the key, for publickey")
      ->type_name("TYPE");
  test->add_flag("--json", p.json, "As a JSON object");
}

void add_commands(CLI::App& app, Parsed& p) {
  const auto roles = CLI::IsMember({"gate", "warden", "scribe"});
  CLI::App* serve = app.add_subcommand("serve", "Run the honeypot");
  serve->footer(kServeExamples);
  serve->add_option("--config", p.serve.config, "Configuration file (YAML)")->type_name("FILE");
  serve->add_option("--role", p.role, "Run this role alone: gate, warden or scribe")
      ->type_name("ROLE")
      ->check(roles);
  serve->add_flag("--borrow-ports", p.serve.borrow_ports,
                  "With --role gate: the ports are those of `sandtrap listen`");

  CLI::App* listen = app.add_subcommand("listen", "Open the ports for a gate without a network");
  listen->footer(kListenExamples);
  listen->add_option("--config", p.listen.config, "Configuration file (YAML)")->type_name("FILE");

  CLI::App* check = app.add_subcommand("check", "Check a configuration file");
  check->footer(kCheckExamples);
  check->add_option("file", p.check.config, "Configuration file (YAML)")
      ->type_name("FILE")
      ->required();
  check->add_flag("--json", p.check.json, "As a JSON object, the problems too");

  CLI::App* personas = app.add_subcommand("personas", "List the machines to look like");
  personas->footer(kPersonasExamples);
  personas->add_option("file", p.personas.file, "A persona of your own (YAML)")->type_name("FILE");
  personas->add_flag("--json", p.personas.json, "As a JSON array");
  personas->add_flag("--legacy", p.personas.legacy, "With the algorithms of server.legacy");

  CLI::App* keygen = app.add_subcommand("keygen", "Make SSH host keys");
  keygen->footer(kKeygenExamples);
  keygen->add_option("--config", p.keygen.config, "Configuration file that names the folder")
      ->type_name("FILE");
  keygen->add_option("--dir", p.keygen.folder, "The folder itself")->type_name("DIR");
  keygen->add_flag("--force", p.keygen.force, "Replace keys that exist");
  keygen->add_flag("--json", p.keygen.json, "Say what was written as a JSON object");

  CLI::App* image = app.add_subcommand("image", "The guest's image");
  image->require_subcommand(1);
  image->footer(kImageExamples);
  CLI::App* build = image->add_subcommand("build", "Build the guest's image with mmdebstrap");
  build->footer(kImageExamples);
  build->add_option("--output", p.image.output, "Folder for the image")->type_name("DIR");

  add_policy(app, p.policy);
  p.of_operator.add(app);
  p.cases.add(app);

  CLI::App* document = app.add_subcommand("config-doc", "Print the documents about settings");
  document->group("");
  document->add_flag("--reference,!--example", p.document.reference, "docs/configuration.md");

  app.add_subcommand("manual", "The commands of sandtrap(8)")->group("");

  CLI::App* role = app.add_subcommand("role", "A role process; started by serve");
  role->group("");
  role->add_option("name", p.hidden_role)->required()->check(roles);
}

void add_verify(CLI::App& app, VerifyOptions& options) {
  CLI::App* verify = app.add_subcommand(
      "verify", "Attack a sandbox from inside, and the roles, to see whether containment holds");
  verify->footer(kVerifyExamples);
  verify->add_option("--config", options.config, "Configuration file (YAML)")->type_name("FILE");
  verify->add_option("--waive", options.waive, "A failure of this check does not count; repeatable")
      ->type_name("NAME")
      ->allow_extra_args(false);
  verify->add_flag("--json", options.json, "Print JSON instead of a table");
  verify->add_flag("--quick", options.quick, "Only what `serve` checks before it opens its port");
  verify->add_flag("--list", options.list, "Print the checks, one line each, and exit");
  verify->add_flag("--document", options.document)->group("");
}

class Help : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    std::string text = CLI::Formatter::make_help(app, std::move(name), mode);
    return wants_colours(stdout) ? coloured_help(text) : text;
  }
};

}  // namespace

Command parse_command_line(int argc, char** argv) {
  CLI::App app(kProgramHelp, "sandtrap");
  Parsed p;
  app.formatter(std::make_shared<Help>());  // and of the subcommands, which are added later
  app.require_subcommand(1);
  app.set_version_flag("--version", "sandtrap " SANDTRAP_VERSION);
  app.set_help_all_flag("--help-all", "Print the help of all subcommands and exit");
  app.footer(kProgramExamples);
  add_commands(app, p);
  add_verify(app, p.verify);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error, std::cout, std::cerr);
    return Finished{code == 0 ? kOk : kUsage};
  }
  if (app.got_subcommand("serve")) {
    if (!p.role.empty()) p.serve.role = kRoles.at(p.role);
    if (p.serve.borrow_ports && p.serve.role != app::RoleKind::kGate) {
      std::cerr << "--borrow-ports goes with --role gate\n";
      return Finished{kUsage};
    }
    return p.serve;
  }
  if (app.got_subcommand("listen")) return p.listen;
  if (app.got_subcommand("check")) return p.check;
  if (app.got_subcommand("personas")) return p.personas;
  if (app.got_subcommand("keygen")) return p.keygen;
  if (app.got_subcommand("image")) return p.image;
  if (app.got_subcommand("policy")) return p.policy;
  if (app.got_subcommand("verify")) return p.verify;
  if (auto command = p.cases.parsed(app)) return *command;
  if (app.got_subcommand("config-doc")) return p.document;
  if (app.got_subcommand("completion")) {
    std::cout << completion_of(p.of_operator.completion.shell, completion_tree(app));
    return Finished{kOk};
  }
  if (app.got_subcommand("manual")) {
    std::cout << manual_commands(completion_tree(app));
    return Finished{kOk};
  }
  if (auto command = p.of_operator.parsed(app)) return *command;
  return RoleOptions{kRoles.at(p.hidden_role)};
}

}  // namespace sandtrap::cli
