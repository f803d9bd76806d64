// docs/verify.md, out of the table of checks.
#include <fmt/format.h>

#include <set>

#include "verify/report.h"

namespace sandtrap::verify {
namespace {

constexpr const char* kHead = R"(# What `sandtrap verify` attacks

Generated from the table of checks (`sandtrap verify --document`); `src/verify` is the code, `guest/probe` the
program that attacks.

```sh
sandtrap verify [--config FILE] [--json] [--quick] [--waive NAME]...
sandtrap verify --list
```

It makes a throw-away sandbox with the active configuration and its engine, carries the probe in, attacks from
inside, and destroys the sandbox. Then it starts the honeypot's roles without sandboxes on throw-away folders,
looks at the gate and the scribe from outside, and makes each attempt of the list below in a process that is
confined as they are. It may run beside a honeypot that serves. No attack writes to what could be the host's:
where opening something for writing is the proof, nothing is written.

Each check ends as

| verdict | |
|---|---|
| pass | as expected |
| known | the engine says it cannot do better (no user namespace, no limit of the disk), or a setting wants it so; the table shows what is expected instead, and exactly that was seen |
| FAIL | the attack worked, or more was possible than the limit says |
| NOT RUN | it could not be made; counts as a failure |
| waived | failed or not made, and named by `--waive` or `verify_waive` |

Exit status: 0 when nothing failed, 1 when something did, 2 for an unknown name.

Checks marked * are critical: `--quick` makes only these, and so does `sandtrap serve` before it opens its ports
(`verify_at_start`). When one fails, the ports stay closed and the log names it. What has passed is not asked
again until the configuration, the program or the boot has changed, so a warden that is restarted after a crash
serves at once.
)";

std::string_view made_by(Where where) {
  switch (where) {
    case Where::kSandbox:
      return "inside a sandbox";
    case Where::kSandboxAlone:
      return "inside a sandbox, alone, the host being watched";
    case Where::kHost:
      return "on the host meanwhile";
    case Where::kRole:
      return "from outside, of the running process";
    case Where::kRoleAttack:
      return "inside its confinement";
  }
  return "";
}

std::string_view excused(Exception exception) {
  switch (exception) {
    case Exception::kNone:
      return "";
    case Exception::kNoUserNamespace:
      return " Known where the engine has no user namespace.";
    case Exception::kNoDiskLimit:
      return " Known where the engine's storage cannot be limited.";
    case Exception::kNewPrivileges:
      return " Known where container.no_new_privileges is off.";
    case Exception::kContainerMounts:
      return " Known under Docker, which mounts its own there.";
  }
  return "";
}

}  // namespace

std::string document() {
  std::string out = kHead;
  std::set<std::string_view> groups;
  for (const Check& first : checks()) {
    if (!groups.insert(first.group).second) continue;
    out += fmt::format(
        "\n## {}\n\n| check | expected | what is done | where |\n|---|---|---|---|\n", first.group);
    for (const Check& one : checks()) {
      if (one.group != first.group) continue;
      out += fmt::format("| `{}`{} | {} | {}{} | {} |\n", one.name, one.critical ? " *" : "",
                         one.expected, one.why, excused(one.exception), made_by(one.where));
    }
  }
  return out;
}

}  // namespace sandtrap::verify
