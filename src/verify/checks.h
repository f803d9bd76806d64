// Every check of `sandtrap verify`, as data: what is attacked, from where, and what must come of
// it. docs/verify.md is printed from this table. Pure.
#pragma once

#include <span>
#include <string_view>

namespace sandtrap::verify {

enum class Where {
  kSandbox,       // by the probe, many in one program
  kSandboxAlone,  // by the probe, alone: it takes what it can, and the host is watched meanwhile
  kHost,          // what was seen of the host meanwhile
  kRole,          // of a running gate and scribe, from outside
  kRoleAttack,    // by a process that is confined as the gate or the scribe is
};

enum class Rule {
  kRefused,         // the attack must be refused
  kProcesses,       // a number of at most …
  kMemory,          //
  kProcessorTime,   // thousandths of a core
  kDisk,            //
  kInodes,          //
  kDescriptors,     //
  kCoreFile,        // 0 or 1 byte
  kTerminals,       // fewer than the machine has
  kCapabilities,    // the configured ones, and none outside the harmless set
  kNoCapabilities,  //
  kOn,              // 1
  kFilter,          // 2: a seccomp filter
  kShifted,         // another user of the host than its root
  kForeign,         // another namespace than the host's
  kNoHostMounts,    //
};

// What an engine says it cannot do (Capabilities), or a setting gives away for the sake of a
// believable machine: then the check has an expected value of its own
// and shows as "known" instead of passing in silence.
enum class Exception { kNone, kNoUserNamespace, kNoDiskLimit, kContainerMounts, kNewPrivileges };

struct Check {
  std::string_view name, group;
  Where where;
  bool critical;  // also made by `serve` before it opens its port
  Rule rule;
  Exception exception;
  std::string_view expected;
  std::string_view why;  // one line for --list and docs/verify.md
};

std::span<const Check> checks();
const Check* find_check(std::string_view name);  // null: no such check

}  // namespace sandtrap::verify
