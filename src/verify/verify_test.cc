// The pure parts: the table of checks, the parser of what comes out of a sandbox, the verdicts.
#include <gtest/gtest.h>

#include <set>

#include "verify/program.h"
#include "verify/report.h"

namespace sandtrap::verify {
namespace {

using Kind = Observation::Kind;

Facts facts() {
  Facts out;
  out.engine = "oci";
  out.limits.capabilities = {"CHOWN", "KILL"};
  out.memory_total = 4ULL << 30;
  out.processes_max = 4096;
  out.cores = 2;
  out.terminals_max = 4096;
  out.terminals_reserve = 1024;
  out.namespaces["own-pid-namespace"] = 4711;
  return out;
}

Observation saw(Kind kind, std::int64_t number = 0, std::string detail = "") {
  return {kind, 0, number, std::move(detail)};
}

Verdict verdict_of(std::string_view check, const Observation& seen, const Facts& about = facts()) {
  return judge(*find_check(check), about, &seen, false).verdict;
}

TEST(CheckTable, NamesAreUniqueAndEachIsExplained) {
  std::set<std::string_view> names;
  for (const Check& one : checks()) {
    EXPECT_TRUE(names.insert(one.name).second) << one.name;
    EXPECT_FALSE(one.expected.empty()) << one.name;
    EXPECT_EQ(one.why.back(), '.') << one.name;
    EXPECT_EQ(one.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"), one.name.npos);
    EXPECT_EQ(find_check(one.name), &one);
    EXPECT_NE(document().find("| `" + std::string(one.name) + "`"), std::string::npos);
    EXPECT_NE(list_of_checks().find(one.name), std::string::npos);
  }
  EXPECT_EQ(find_check("net-tcp5"), nullptr);
}

TEST(ProbeOutput, TakesTheFirstAnswerToWhatWasAsked) {
  const auto got = parse_probe_output(
      "st1 net-tcp4 denied 101 0 3 addresses: unreachable\n"
      "st1 net-tcp4 done 0 0 a second answer\n"
      "st1 limit-processes value 11 97 97 forks, then no more\n"
      "st1 net-udp done 0 0 \n",
      {"net-tcp4", "limit-processes"});
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got.at("net-tcp4").kind, Kind::kRefused);
  EXPECT_EQ(got.at("net-tcp4").error, 101);
  EXPECT_EQ(got.at("net-tcp4").detail, "3 addresses: unreachable");
  EXPECT_EQ(got.at("limit-processes").number, 97);
}

TEST(ProbeOutput, DropsEveryLineThatIsNotOfItsForm) {
  const std::vector<std::string_view> asked = {"a"};
  const std::string lines[] = {"st1 a denied",
                               "st1 a denied x 0 z",
                               "st1 a denied 1 1x z",
                               "st1 a perhaps 1 1 z",
                               "st2 a denied 1 1 z",
                               " st1 a denied 1 1 z",
                               "st1  a denied 1 1 z",
                               "st1 a denied 1 99999999999999999999 z",
                               "st1 a denied 99999999999 1 z",
                               "st1",
                               "",
                               "\n\n\n",
                               std::string(600, 'x'),
                               "st1 a denied 1 1 " + std::string(600, 'x')};
  for (const std::string& line : lines)
    EXPECT_TRUE(parse_probe_output(line, asked).empty()) << line;
  const auto got = parse_probe_output("st1 a done 0 0 \x1b[31mred\xff\tx", asked);
  EXPECT_EQ(got.at("a").detail, "?[31mred??x");
  EXPECT_EQ(
      parse_probe_output("st1 a done 0 0 " + std::string(400, 'x'), asked).at("a").detail.size(),
      200U);
}

TEST(Frames, StandardOutputAloneIsTaken) {
  const auto frame = [](char stream, std::string text) {
    std::string head(8, '\0');
    head[0] = stream;
    head[7] = static_cast<char>(text.size());
    return head + text;
  };
  EXPECT_EQ(unframed(frame(1, "ab") + frame(2, "no") + frame(1, "c")), "abc");
  EXPECT_EQ(unframed(frame(1, "ab") + frame(1, "torn").substr(0, 10)), "ab");
  EXPECT_EQ(unframed("\1\0\0"), "");
  EXPECT_EQ(unframed(std::string("\1\0\0\0\xff\xff\xff\xff", 8) + "x"), "");
}

TEST(Verdicts, AnAttackThatWorksFailsAndOneThatIsRefusedPasses) {
  EXPECT_EQ(verdict_of("net-tcp4", saw(Kind::kRefused)), Verdict::kPass);
  EXPECT_EQ(verdict_of("net-tcp4", saw(Kind::kDone)), Verdict::kFail);
  EXPECT_EQ(verdict_of("net-tcp4", saw(Kind::kNumber, 0)), Verdict::kFail);
  EXPECT_EQ(verdict_of("net-tcp4", saw(Kind::kCannot)), Verdict::kNotRun);
  EXPECT_EQ(judge(*find_check("net-tcp4"), facts(), nullptr, false).verdict, Verdict::kNotRun);
}

TEST(Verdicts, AMeasureMustBeMeasured) {
  // A probe that says "refused" where a number is wanted has not shown the limit.
  for (const char* check : {"limit-processes", "limit-memory", "limit-cpu", "limit-disk",
                            "capability-bounding", "no-new-privileges", "seccomp", "user-map"})
    EXPECT_EQ(verdict_of(check, saw(Kind::kRefused)), Verdict::kFail) << check;
}

TEST(Verdicts, LimitsAreUpperBounds) {
  EXPECT_EQ(verdict_of("limit-processes", saw(Kind::kNumber, 100)), Verdict::kPass);
  EXPECT_EQ(verdict_of("limit-processes", saw(Kind::kNumber, 101)), Verdict::kFail);
  EXPECT_EQ(verdict_of("limit-processes", saw(Kind::kNumber, -1)), Verdict::kFail);
  EXPECT_EQ(verdict_of("limit-cpu", saw(Kind::kNumber, 520)), Verdict::kPass);
  EXPECT_EQ(verdict_of("limit-cpu", saw(Kind::kNumber, 1900)), Verdict::kFail);
  EXPECT_EQ(verdict_of("limit-core", saw(Kind::kNumber, 1)), Verdict::kPass);
  EXPECT_EQ(verdict_of("limit-core", saw(Kind::kNumber, 4096)), Verdict::kFail);
  EXPECT_EQ(verdict_of("limit-disk", saw(Kind::kNumber, 1LL << 30)), Verdict::kPass);
  EXPECT_EQ(verdict_of("limit-disk", saw(Kind::kNumber, (1LL << 30) + 1)), Verdict::kFail);
}

TEST(Verdicts, ALimitThatLeavesTheMachineNothingFails) {
  Facts all = facts();
  all.limits.cpus = 2;
  EXPECT_EQ(verdict_of("limit-cpu", saw(Kind::kNumber, 100), all), Verdict::kFail);
  all.limits.pids = 4000;
  EXPECT_EQ(verdict_of("limit-processes", saw(Kind::kNumber, 100), all), Verdict::kFail);
  all.limits.memory_bytes = all.memory_total;
  EXPECT_EQ(verdict_of("limit-memory", saw(Kind::kNumber, 100), all), Verdict::kFail);
}

TEST(Verdicts, CapabilitiesAreTheConfiguredOnesAndNoneIsDangerous) {
  const auto bits = capability_bits({"CHOWN", "KILL"});
  ASSERT_TRUE(bits);
  EXPECT_EQ(*bits, 0x21U);
  const auto number = static_cast<std::int64_t>(*bits);
  EXPECT_EQ(verdict_of("capability-bounding", saw(Kind::kNumber, number)), Verdict::kPass);
  EXPECT_EQ(verdict_of("capability-bounding", saw(Kind::kNumber, 1)), Verdict::kFail);
  Facts strong = facts();
  strong.limits.capabilities = {"SYS_ADMIN"};
  const auto admin = static_cast<std::int64_t>(*capability_bits({"SYS_ADMIN"}));
  EXPECT_EQ(verdict_of("capability-bounding", saw(Kind::kNumber, admin), strong), Verdict::kFail);
  EXPECT_EQ(verdict_of("capability-ambient", saw(Kind::kNumber, 1)), Verdict::kFail);
  EXPECT_FALSE(capability_bits({"NO_SUCH"}));
}

TEST(Verdicts, ASharedNamespaceFails) {
  EXPECT_EQ(verdict_of("own-pid-namespace", saw(Kind::kNumber, 4712)), Verdict::kPass);
  EXPECT_EQ(verdict_of("own-pid-namespace", saw(Kind::kNumber, 4711)), Verdict::kFail);
  EXPECT_EQ(verdict_of("own-network-namespace", saw(Kind::kNumber, 1)), Verdict::kFail)
      << "ours is not known, so nothing is shown";
}

TEST(Verdicts, WhatAnEngineCannotDoIsKnownAndNothingBeyondIt) {
  Facts docker = facts();
  docker.engine = "docker";
  docker.user_namespace = docker.exact_disk_limit = false;
  EXPECT_EQ(verdict_of("user-map", saw(Kind::kNumber, 0)), Verdict::kFail);
  EXPECT_EQ(verdict_of("user-map", saw(Kind::kNumber, 0), docker), Verdict::kKnown);
  docker.limits.no_new_privileges = false;
  EXPECT_EQ(verdict_of("setuid-program", saw(Kind::kDone), docker), Verdict::kKnown);
  EXPECT_EQ(verdict_of("setuid-program", saw(Kind::kDone)), Verdict::kFail);
  EXPECT_EQ(verdict_of("no-new-privileges", saw(Kind::kNumber, 0), docker), Verdict::kKnown);
  EXPECT_EQ(verdict_of("no-new-privileges", saw(Kind::kNumber, 0)), Verdict::kFail);
  EXPECT_EQ(verdict_of("user-map", saw(Kind::kNumber, 200000), docker), Verdict::kPass);
  EXPECT_EQ(verdict_of("limit-disk", saw(Kind::kNumber, 2LL << 30), docker), Verdict::kKnown);
  EXPECT_EQ(verdict_of("limit-disk", saw(Kind::kCannot), docker), Verdict::kNotRun);
  EXPECT_EQ(verdict_of("info-page-counts", saw(Kind::kDone), docker), Verdict::kKnown);
  EXPECT_EQ(verdict_of("info-kernel-memory", saw(Kind::kDone), docker), Verdict::kFail);
  EXPECT_EQ(verdict_of("host-mounts", saw(Kind::kNumber, 3), docker), Verdict::kKnown);
  EXPECT_EQ(verdict_of("host-mounts", saw(Kind::kNumber, 4), docker), Verdict::kFail);
  EXPECT_EQ(verdict_of("host-mounts", saw(Kind::kDone), docker), Verdict::kFail);
  EXPECT_EQ(verdict_of("info-mounts", saw(Kind::kDone, 0, "/proc/mounts names docker"), docker),
            Verdict::kKnown);
  EXPECT_EQ(verdict_of("info-mounts", saw(Kind::kDone, 0, "/proc/mounts names /srv/x"), docker),
            Verdict::kFail);
}

TEST(Verdicts, WaivingTakesTheFailureAwayAndNothingElse) {
  const Check& check = *find_check("setuid-program");
  const Observation worked = saw(Kind::kDone), refused = saw(Kind::kRefused);
  EXPECT_EQ(judge(check, facts(), &worked, true).verdict, Verdict::kWaived);
  EXPECT_EQ(judge(check, facts(), nullptr, true).verdict, Verdict::kWaived);
  EXPECT_EQ(judge(check, facts(), &refused, true).verdict, Verdict::kPass);
  const std::vector<Result> results = {judge(check, facts(), &worked, true)};
  EXPECT_TRUE(holds(results));
  EXPECT_TRUE(failures(results).empty());
}

TEST(Report, NamesWhatFailed) {
  const Observation worked = saw(Kind::kDone, 0, "nobody became root");
  const std::vector<Result> results = {
      judge(*find_check("setuid-program"), facts(), &worked, false)};
  EXPECT_FALSE(holds(results));
  EXPECT_NE(as_table(results).find("IT WORKED: nobody became root"), std::string::npos);
  EXPECT_NE(as_table(results).find("1 checks: 0 passed, 1 FAILED"), std::string::npos);
  EXPECT_NE(as_json(results, facts()).find(R"("verdict":"fail")"), std::string::npos);
  ASSERT_EQ(failures(results).size(), 1U);
  EXPECT_EQ(failures(results)[0].find("setuid-program (FAIL): expected nobody stays nobody"), 0U);
}

}  // namespace
}  // namespace sandtrap::verify
