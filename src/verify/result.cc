#include "verify/result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sandtrap::verify {
namespace {

using Kind = Observation::Kind;

constexpr std::string_view kCapabilityNames[] = {"CHOWN",
                                                 "DAC_OVERRIDE",
                                                 "DAC_READ_SEARCH",
                                                 "FOWNER",
                                                 "FSETID",
                                                 "KILL",
                                                 "SETGID",
                                                 "SETUID",
                                                 "SETPCAP",
                                                 "LINUX_IMMUTABLE",
                                                 "NET_BIND_SERVICE",
                                                 "NET_BROADCAST",
                                                 "NET_ADMIN",
                                                 "NET_RAW",
                                                 "IPC_LOCK",
                                                 "IPC_OWNER",
                                                 "SYS_MODULE",
                                                 "SYS_RAWIO",
                                                 "SYS_CHROOT",
                                                 "SYS_PTRACE",
                                                 "SYS_PACCT",
                                                 "SYS_ADMIN",
                                                 "SYS_BOOT",
                                                 "SYS_NICE",
                                                 "SYS_RESOURCE",
                                                 "SYS_TIME",
                                                 "SYS_TTY_CONFIG",
                                                 "MKNOD",
                                                 "LEASE",
                                                 "AUDIT_WRITE",
                                                 "AUDIT_CONTROL",
                                                 "SETFCAP",
                                                 "MAC_OVERRIDE",
                                                 "MAC_ADMIN",
                                                 "SYSLOG",
                                                 "WAKE_ALARM",
                                                 "BLOCK_SUSPEND",
                                                 "AUDIT_READ",
                                                 "PERFMON",
                                                 "BPF",
                                                 "CHECKPOINT_RESTORE"};

// Those that reach nothing but the sandbox's own files, processes and ports, also when its root is
// the host's. Whatever the settings say, more is a weakness.
const std::vector<std::string> kHarmless = {
    "CHOWN",  "DAC_OVERRIDE",     "FOWNER",     "FSETID",      "KILL",
    "SETGID", "NET_BIND_SERVICE", "SYS_CHROOT", "AUDIT_WRITE", "SETUID"};

constexpr std::uint64_t kMebi = 1 << 20;

std::string capability_list(std::uint64_t bits) {
  std::string out;
  for (std::size_t i = 0; i < 64; ++i) {
    if ((bits >> i & 1) == 0) continue;
    if (!out.empty()) out += ' ';
    out += i < std::size(kCapabilityNames) ? std::string(kCapabilityNames[i]) : std::to_string(i);
  }
  return out.empty() ? "none" : out;
}

struct Answer {
  bool good = false;
  std::string expected, observed;
};

std::string amount(std::int64_t bytes) {
  return fmt::format("{} MiB", bytes / static_cast<std::int64_t>(kMebi));
}

Answer at_most(std::int64_t number, std::uint64_t limit, const std::string& expected,
               const std::string& observed) {
  return {number >= 0 && static_cast<std::uint64_t>(number) <= limit, expected, observed};
}

Answer capabilities(const Observation& seen, const Facts& facts) {
  const auto bits = static_cast<std::uint64_t>(seen.number);
  const auto wanted = capability_bits(facts.limits.capabilities);
  const std::uint64_t harmless = capability_bits(kHarmless).value_or(0);
  Answer out{wanted && bits == *wanted && (bits & ~harmless) == 0,
             "the configured ones, none dangerous", ""};
  if ((bits & ~harmless) != 0) {
    out.observed = "dangerous: " + capability_list(bits & ~harmless);
  } else if (wanted && bits != *wanted) {
    out.observed = "not as configured: " + capability_list(bits ^ *wanted);
  } else {
    out.observed = fmt::format("{:016x}", bits);
  }
  return out;
}

Answer processor_time(const Observation& seen, const Facts& facts) {
  // The kernel hands out its slices a little generously.
  const double allowed = facts.limits.cpus * 1.2 + 0.05;
  const double used = static_cast<double>(seen.number) / 1000;
  const bool room = facts.limits.cpus < static_cast<double>(facts.cores);
  return {room && used <= allowed,
          fmt::format("at most {} of {} cores", facts.limits.cpus, facts.cores),
          room ? fmt::format("{:.2f} cores", used)
               : fmt::format("{:.2f} cores: the limit leaves none to the machine", used)};
}

Answer measured(const Check& check, const Observation& seen, const Facts& facts) {
  const sandbox::Limits& limits = facts.limits;
  switch (check.rule) {
    case Rule::kProcesses: {
      const bool room = limits.pids <= facts.processes_max / 2;
      Answer out =
          at_most(seen.number, limits.pids, fmt::format("at most {}", limits.pids), seen.detail);
      out.good = out.good && room;
      if (!room) out.observed += "; the limit leaves too few to the machine";
      return out;
    }
    case Rule::kMemory: {
      // What is killed has also had its stack, its program and the page that was refused.
      Answer out =
          at_most(seen.number, limits.memory_bytes + 2 * kMebi,
                  "at most " + amount(static_cast<std::int64_t>(limits.memory_bytes)), seen.detail);
      if (limits.memory_bytes >= facts.memory_total) {
        out.good = false;
        out.observed += "; the limit is all that the machine has";
      }
      return out;
    }
    case Rule::kProcessorTime:
      return processor_time(seen, facts);
    case Rule::kDisk:
      return at_most(seen.number, limits.disk_bytes,
                     "at most " + amount(static_cast<std::int64_t>(limits.disk_bytes)),
                     seen.detail);
    case Rule::kInodes: {
      const std::uint64_t limit = limits.disk_bytes / (16 << 10) + 1024;
      return at_most(seen.number, limit, fmt::format("at most {} files", limit), seen.detail);
    }
    case Rule::kDescriptors:
      return at_most(seen.number, limits.open_files, fmt::format("at most {}", limits.open_files),
                     seen.detail);
    case Rule::kCoreFile:
      return at_most(seen.number, 1, "0 or 1 byte", seen.detail);
    case Rule::kTerminals: {
      const std::int64_t limit = facts.terminals_max - facts.terminals_reserve;
      return {seen.number <= limit && limit > 0, fmt::format("at most {}", limit), seen.detail};
    }
    case Rule::kCapabilities:
      return capabilities(seen, facts);
    case Rule::kNoCapabilities:
      return {seen.number == 0, "none", capability_list(static_cast<std::uint64_t>(seen.number))};
    case Rule::kOn:
      return {seen.number == 1, "on", seen.number == 1 ? "on" : "off"};
    case Rule::kFilter:
      return {seen.number == 2, "a filter", seen.detail};
    case Rule::kShifted:
      return {seen.number > 0, "not 0", seen.detail};
    case Rule::kForeign: {
      const auto ours = facts.namespaces.find(check.name);
      return {ours != facts.namespaces.end() && ours->second != seen.number,
              "another than the host's", seen.detail};
    }
    case Rule::kNoHostMounts:
      return {seen.number == 0, "none", seen.detail};
    case Rule::kRefused:
      break;
  }
  return {false, std::string(check.expected), "an answer of the wrong kind"};
}

// The expected value of its own where the engine cannot do better; empty where it can.
std::string exception_of(const Check& check, const Facts& facts) {
  switch (check.exception) {
    case Exception::kNone:
      break;
    case Exception::kNoUserNamespace:
      if (!facts.user_namespace) return "none: the engine has no user namespace";
      break;
    case Exception::kNoDiskLimit:
      if (!facts.exact_disk_limit) return "none: the engine's storage has no limit";
      break;
    case Exception::kNewPrivileges:
      if (!facts.limits.no_new_privileges) return "container.no_new_privileges is off: su works";
      break;
    case Exception::kContainerMounts:
      if (facts.engine == "docker") return "the engine's own: its layers, /etc/hosts and two more";
      break;
  }
  return {};
}

// What an exception admits, and nothing beyond it.
bool admitted(const Check& check, const Observation& seen) {
  if (check.rule == Rule::kNoHostMounts) return seen.kind == Kind::kNumber && seen.number <= 3;
  if (check.name == "info-mounts") {
    return seen.kind == Kind::kDone && seen.detail.find("names docker") != std::string::npos;
  }
  // Files of the host's root, who is the sandbox's root there; nothing else that is refused.
  if (check.name == "info-page-counts" || check.name == "setuid-program")
    return seen.kind == Kind::kDone;
  return seen.kind == Kind::kNumber;
}

std::string describe(const Check& check, const Observation& seen) {
  // What was looked at is no attack.
  const bool looked = check.where == Where::kHost || check.where == Where::kRole;
  if (looked && seen.kind != Kind::kCannot) return seen.detail;
  switch (seen.kind) {
    case Kind::kRefused:
      return seen.detail.empty() ? "refused" : "refused: " + seen.detail;
    case Kind::kDone:
      return "IT WORKED: " + seen.detail;
    case Kind::kNumber:
      return seen.detail;
    case Kind::kCannot:
      return "not made: " + seen.detail;
  }
  return {};
}

Verdict bad(Verdict verdict, bool waived) {
  return waived ? Verdict::kWaived : verdict;
}

}  // namespace

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "pass";
    case Verdict::kKnown:
      return "known";
    case Verdict::kFail:
      return "FAIL";
    case Verdict::kNotRun:
      return "NOT RUN";
    case Verdict::kWaived:
      return "waived";
  }
  return "";
}

std::optional<std::uint64_t> capability_bits(const std::vector<std::string>& names) {
  std::uint64_t bits = 0;
  for (const std::string& one : names) {
    const auto found = std::find(std::begin(kCapabilityNames), std::end(kCapabilityNames), one);
    if (found == std::end(kCapabilityNames)) return std::nullopt;
    bits |= 1ULL << (found - std::begin(kCapabilityNames));
  }
  return bits;
}

Result judge(const Check& check, const Facts& facts, const Observation* observation, bool waived) {
  Result out;
  out.check = &check;
  out.expected = check.expected;
  if (observation == nullptr) {
    out.observed = "not made: no answer";
    out.verdict = bad(Verdict::kNotRun, waived);
    return out;
  }
  const Observation& seen = *observation;
  out.observed = describe(check, seen);
  if (seen.kind == Kind::kCannot) {
    out.verdict = bad(Verdict::kNotRun, waived);
    return out;
  }
  bool good = seen.kind == Kind::kRefused;
  if (seen.kind == Kind::kNumber) {
    Answer answer = measured(check, seen, facts);
    good = answer.good;
    out.expected = std::move(answer.expected);
    out.observed = std::move(answer.observed);
  } else if (check.rule != Rule::kRefused && check.rule != Rule::kNoHostMounts) {
    good = false;
  }
  if (good) {
    out.verdict = Verdict::kPass;
    return out;
  }
  const std::string exception = exception_of(check, facts);
  if (!exception.empty()) out.expected = exception;
  if (!exception.empty() && admitted(check, seen)) {
    out.verdict = Verdict::kKnown;
  } else {
    out.verdict = bad(Verdict::kFail, waived);
  }
  return out;
}

bool holds(const std::vector<Result>& results) {
  return std::none_of(results.begin(), results.end(), [](const Result& one) {
    return one.verdict == Verdict::kFail || one.verdict == Verdict::kNotRun;
  });
}

}  // namespace sandtrap::verify
