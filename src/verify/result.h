// What was seen, against what must be: from an observation to a verdict. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/engine.h"
#include "verify/checks.h"

namespace sandtrap::verify {

struct Observation {
  enum class Kind {
    kRefused,  // the attack was refused
    kDone,     // it worked
    kNumber,   // what was measured
    kCannot,   // it could not be made
  } kind = Kind::kCannot;
  int error = 0;  // errno, or 0
  std::int64_t number = 0;
  std::string detail;
};
using Observations = std::map<std::string, Observation, std::less<>>;

// What the probe printed. It comes out of a sandbox: lines that are not exactly of its form, about
// checks that were not asked for, and second answers are dropped; details are cut and cleaned.
Observations parse_probe_output(std::string_view output,
                                const std::vector<std::string_view>& asked);

// What the expectations depend on: the settings, the engine, this machine.
struct Facts {
  std::string engine;
  bool user_namespace = true, exact_disk_limit = true;
  sandbox::Limits limits;
  std::uint64_t memory_total = 0, processes_max = 0;
  unsigned cores = 1;
  std::int64_t terminals_max = 0, terminals_reserve = 0;
  std::map<std::string, std::int64_t, std::less<>> namespaces;  // own-…-namespace → inode number
};

enum class Verdict { kPass, kKnown, kFail, kNotRun, kWaived };
std::string_view name(Verdict verdict);

struct Result {
  const Check* check = nullptr;
  std::string expected, observed;
  Verdict verdict = Verdict::kNotRun;
};

// No observation: the check was not made. `waived`: a failure of it does not count.
Result judge(const Check& check, const Facts& facts, const Observation* observation, bool waived);

// The bits of "CHOWN", …; nothing for a name that no kernel has.
std::optional<std::uint64_t> capability_bits(const std::vector<std::string>& names);

bool holds(const std::vector<Result>& results);  // no failure that counts

}  // namespace sandtrap::verify
