#include "verify/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>

namespace sandtrap::verify {
namespace {

constexpr std::size_t kNameWidth = 26, kExpectedWidth = 38, kObservedWidth = 60;

std::string cut(std::string_view text, std::size_t width) {
  if (text.size() <= width) return std::string(text);
  return std::string(text.substr(0, width - 3)) + "...";
}

std::array<std::size_t, 5> count(const std::vector<Result>& results) {
  std::array<std::size_t, 5> out{};
  for (const Result& one : results) ++out[static_cast<std::size_t>(one.verdict)];
  return out;
}

std::string summary(const std::vector<Result>& results) {
  const auto number = count(results);
  std::string out = fmt::format("{} checks: {} passed", results.size(), number[0]);
  const char* const words[] = {"", "known limits of the engine", "FAILED", "NOT RUN", "waived"};
  for (std::size_t i = 1; i < number.size(); ++i)
    if (number[i] != 0) out += fmt::format(", {} {}", number[i], words[i]);
  return out;
}

}  // namespace

std::string as_table(const std::vector<Result>& results) {
  std::string out = fmt::format("{:<{}}  {:<{}}  {:<{}}  {}\n", "CHECK", kNameWidth, "EXPECTED",
                                kExpectedWidth, "OBSERVED", kObservedWidth, "VERDICT");
  std::string_view group;
  for (const Result& one : results) {
    if (one.check->group != group) {
      group = one.check->group;
      out += fmt::format("-- {}\n", group);
    }
    const bool bad = one.verdict != Verdict::kPass;
    // What needs attention is never cut.
    out += fmt::format("{:<{}}  {:<{}}  {:<{}}  {}\n", one.check->name, kNameWidth,
                       cut(one.expected, kExpectedWidth), kExpectedWidth,
                       bad ? one.observed : cut(one.observed, kObservedWidth), kObservedWidth,
                       name(one.verdict));
  }
  return out + "\n" + summary(results) + "\n";
}

std::string as_json(const std::vector<Result>& results, const Facts& facts) {
  namespace json = boost::json;
  json::array rows;
  for (const Result& one : results) {
    json::object row;
    row["check"] = one.check->name;
    row["group"] = one.check->group;
    row["critical"] = one.check->critical;
    row["expected"] = one.expected;
    row["observed"] = one.observed;
    row["verdict"] = one.verdict == Verdict::kFail     ? "fail"
                     : one.verdict == Verdict::kNotRun ? "not-run"
                                                       : name(one.verdict);
    rows.emplace_back(std::move(row));
  }
  const auto number = count(results);
  json::object root, total;
  const char* const words[] = {"pass", "known", "fail", "not-run", "waived"};
  for (std::size_t i = 0; i < number.size(); ++i) total[words[i]] = number[i];
  root["engine"] = facts.engine;
  root["user_namespace"] = facts.user_namespace;
  root["exact_disk_limit"] = facts.exact_disk_limit;
  root["holds"] = holds(results);
  root["count"] = std::move(total);
  root["checks"] = std::move(rows);
  return json::serialize(root) + "\n";
}

std::vector<std::string> failures(const std::vector<Result>& results) {
  std::vector<std::string> out;
  for (const Result& one : results) {
    if (one.verdict != Verdict::kFail && one.verdict != Verdict::kNotRun) continue;
    out.push_back(fmt::format("{} ({}): expected {}; observed {}", one.check->name,
                              name(one.verdict), one.expected, one.observed));
  }
  return out;
}

std::string list_as_json() {
  namespace json = boost::json;
  json::array rows;
  for (const Check& one : checks()) {
    rows.emplace_back(json::object{
        {"check", one.name}, {"group", one.group}, {"critical", one.critical}, {"why", one.why}});
  }
  return json::serialize(rows) + "\n";
}

std::string list_of_checks() {
  std::string out;
  for (const Check& one : checks()) {
    out += fmt::format("{:<{}} {} {}\n", one.name, kNameWidth, one.critical ? "*" : " ", one.why);
  }
  return out +
         "\n* critical: `sandtrap verify --quick`, and `sandtrap serve` before it opens its port\n";
}

}  // namespace sandtrap::verify
