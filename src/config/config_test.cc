// Loading: what is accepted, what is refused and exactly where.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "config/document.h"
#include "config/settings.h"

namespace sandtrap::config {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::string> problems_of(std::string_view text) {
  std::vector<std::string> out;
  for (const Problem& problem : load(text, "f").problems) out.push_back(to_string(problem));
  return out;
}

TEST(Load, AnEmptyFileMeansTheDefaults) {
  const LoadResult loaded = load("", "f");
  EXPECT_THAT(loaded.problems, IsEmpty());
  EXPECT_EQ(loaded.settings.server.listen, std::vector<std::string>{"0.0.0.0:2222"});
  EXPECT_EQ(loaded.settings.server.host_key_dir, "/var/lib/sandtrap/keys");
  EXPECT_THAT(loaded.settings.run_dir, testing::MatchesRegex("/run/sandtrap/[0-9a-f]{8}"));
}

TEST(Load, TheConfigurationOfTheAcceptanceChecksWorksAsItStands) {
  const LoadResult loaded = load(R"(data_dir: /path/to/data
server:
  listen: ["127.0.0.1:2222"]
  max_startups: "5000:30:10000"
  max_connections_per_source: 10000
authentication:
  credentials:
    - {user: root, password: "letmein"}
  accept_after_failures: 2
container_pool:
  engine: oci
  size: 3
)",
                                 "f");
  EXPECT_THAT(loaded.problems, IsEmpty());
  const Settings& s = loaded.settings;
  EXPECT_EQ(s.data_dir, "/path/to/data");
  EXPECT_EQ(s.server.host_key_dir, "/path/to/data/keys");
  EXPECT_EQ(s.server.max_startups.start, 5000U);
  EXPECT_EQ(s.server.max_startups.rate, 30U);
  EXPECT_EQ(s.server.max_startups.full, 10000U);
  EXPECT_EQ(s.server.max_connections_per_source, 10000U);
  ASSERT_EQ(s.authentication.credentials.size(), 1U);
  EXPECT_EQ(s.authentication.credentials[0].user, "root");
  EXPECT_EQ(s.authentication.credentials[0].password, "letmein");
  EXPECT_EQ(s.authentication.accept_after_failures, 2U);
  EXPECT_EQ(s.container_pool.engine, "oci");
  EXPECT_EQ(s.container_pool.size, 3U);
}

TEST(Load, ReadsEveryKindOfValue) {
  const LoadResult loaded = load(R"(
run_dir: /run/elsewhere
server: {listen: ["[2001:db8::1]:22", "192.0.2.1:2022"], idle_timeout: 5m, session_limit: 90, max_startups: 7}
authentication:
  accept_after_failures: false
  public_keys: accept_after_failures
  failure_delay_min: 250ms
  credentials:
    - {user: admin, deny: true}
    - {user: '*', password: 12345}
container: {memory_bytes: 512k00MiB, cpus: 1.5}
)",
                                 "f");
  ASSERT_EQ(loaded.problems.size(), 1U) << "512k00MiB is no size";
  const Settings& s = loaded.settings;
  EXPECT_EQ(s.run_dir, "/run/elsewhere");
  EXPECT_EQ(s.server.listen[0], "[2001:db8::1]:22");
  EXPECT_EQ(s.server.idle_timeout, std::chrono::minutes(5));
  EXPECT_EQ(s.server.session_limit, std::chrono::seconds(90));
  EXPECT_EQ(s.server.max_startups.full, 7U);
  EXPECT_EQ(s.authentication.accept_after_failures, std::nullopt);
  EXPECT_EQ(s.authentication.public_keys, Authentication::PublicKeys::kAcceptAfterFailures);
  EXPECT_EQ(s.authentication.failure_delay_min, std::chrono::milliseconds(250));
  EXPECT_TRUE(s.authentication.credentials[0].deny);
  EXPECT_EQ(s.authentication.credentials[0].password, "*");
  EXPECT_EQ(s.authentication.credentials[1].password, "12345") << "digits are text here";
  EXPECT_DOUBLE_EQ(s.container.cpus, 1.5);
}

struct Bad {
  const char* text;
  const char* place;  // how the problem starts
  const char* says;   // and what it mentions
};

class BadDocument : public testing::TestWithParam<Bad> {};

TEST_P(BadDocument, IsRefusedAtItsPlace) {
  const auto problems = problems_of(GetParam().text);
  ASSERT_EQ(problems.size(), 1U) << fmt::format("{}", fmt::join(problems, "\n"));
  EXPECT_THAT(problems[0], testing::StartsWith(GetParam().place));
  EXPECT_THAT(problems[0], HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadDocument,
    testing::Values(
        // structure
        Bad{"- a\n", "f:1:1:", "`key: value`"}, Bad{"just text\n", "f:1:1:", "`key: value`"},
        Bad{"server: 5\n", "f:1:9:", "must be a section"},
        Bad{"server: [1]\n", "f:1:9:", "must be a section"},
        Bad{"server:\n  listen: [\"1.2.3.4:5\"\n", "f:", "not valid YAML"},
        Bad{"a: b: c\n", "f:1:", "not valid YAML"}, Bad{"\tserver: {}\n", "f:1:", "not valid YAML"},
        Bad{"---\n{}\n---\n{}\n", "f:4:1:", "second YAML document"},
        Bad{"server: &x {}\n", "f:1:9:", "anchors"}, Bad{"server: !!map {}\n", "f:1:9:", "tags"},
        Bad{"? [a]\n: b\n", "f:1:3:", "key must be plain text"},
        Bad{"[[[[[[[[[[1]]]]]]]]]]\n", "f:1:9:", "nested deeper"},
        // keys
        Bad{"serverr: {}\n", "f:1:1:", "did you mean server?"},
        Bad{"max_sessions: 3\n", "f:1:1:", "did you mean server.max_sessions?"},
        Bad{"server:\n  max_sesions: 3\n", "f:2:3:", "did you mean max_sessions?"},
        Bad{"recording:\n  zzzzzzzz: 3\n", "f:2:3:", "allowed: enabled, record_input"},
        Bad{"server:\n  gates: 1\n  gates: 2\n", "f:3:3:", "already set in line 2"},
        Bad{"server: {}\nserver: {}\n", "f:2:1:", "duplicate key \"server\""},
        // counts and booleans
        Bad{"server:\n  gates: 0\n", "f:2:10:", "allowed: a whole number from 1 to 64"},
        Bad{"server: {gates: 65}", "f:1:17:", "out of range"},
        Bad{"server: {gates: -1}", "f:1:17:", "not a whole number"},
        Bad{"server: {gates: 1.5}", "f:1:17:", "not a whole number"},
        Bad{"server: {gates: \"1\"}", "f:1:17:", "without quotes"},
        Bad{"server: {gates: 99999999999999999999}", "f:1:17:", "too large"},
        Bad{"server: {gates: [1]}", "f:1:17:", "is a list"},
        Bad{"server:\n  gates:\n", "f:2:3:", "has no value"},
        Bad{"recording: {enabled: yes}", "f:1:22:", "true or false"},
        Bad{"recording: {enabled: \"true\"}", "f:1:22:", "true or false"},
        Bad{"authentication: {accept_after_failures: true}", "f:1:41:", "or false"},
        Bad{"container: {cpus: 0}", "f:1:19:", "from 0.01 to 1024"},
        Bad{"container: {cpus: nan}", "f:1:19:", "not a number"},
        Bad{"container: {cpus: 1e3}", "f:1:19:", "not a number"},
        // durations and sizes
        Bad{"server: {idle_timeout: 5 minutes}", "f:1:24:", "not a duration"},
        Bad{"server: {idle_timeout: 1500ms}", "f:1:24:", "whole seconds"},
        Bad{"disk: {recordings_bytes: 1MiB}", "f:1:26:", "at most as much"},
        Bad{"logging: {rotate_bytes: 6GiB}", "f:1:25:", "at most as much"},
        Bad{"server: {idle_timeout: 366d}", "f:1:24:", "0 to 365d"},
        Bad{"server: {idle_timeout: 999999999999999d}", "f:1:24:", "too long"},
        Bad{"server: {idle_timeout: s}", "f:1:24:", "not a duration"},
        Bad{"container: {memory_bytes: 256MB}", "f:1:27:", "not a size"},
        Bad{"container: {memory_bytes: 1}", "f:1:27:", "16MiB to 1TiB"},
        Bad{"container: {memory_bytes: 99999999999T}", "f:1:27:", "too large"},
        // text
        Bad{"container_pool: {engine: podman}", "f:1:26:", "oci, docker, fake"},
        Bad{"authentication: {public_keys: maybe}", "f:1:31:", "refuse, accept_after_failures"},
        Bad{"data_dir: /\n", "f:1:11:", "folder of the system"},
        Bad{"data_dir: /var/../etc/\n", "f:1:11:", "folder of the system"},
        Bad{"data_dir: \"/a\\nb\"\n", "f:1:11:", "control characters"},
        Bad{"data_dir: \"\"\n", "f:1:11:", "is empty"}, Bad{"data_dir: ~\n", "f:1:1:", "no value"},
        Bad{"server: {gate_user: root}", "f:1:21:", "not root"},
        Bad{"server: {gate_user: 0}", "f:1:21:", "not root"},
        Bad{"server: {gate_user: 61802}", "f:1:21:", "same account"},
        Bad{"logging: {sensor: \"a b\"}", "f:1:19:", "is not a name"},
        // listen
        Bad{"server: {listen: []}", "f:1:18:", "has 0 items"},
        Bad{"server: {listen: \"1.2.3.4:5\"}", "f:1:18:", "is not a list"},
        Bad{"server: {listen: [\"localhost:22\"]}", "f:1:19:", "not an IP address"},
        Bad{"server: {listen: [\"1.2.3.4\"]}", "f:1:19:", "no port"},
        Bad{"server: {listen: [\"1.2.3.4:0\"]}", "f:1:19:", "1 to 65535"},
        Bad{"server: {listen: [\"1.2.3.4:65536\"]}", "f:1:19:", "1 to 65535"},
        Bad{"server: {listen: [\"::1:22\"]}", "f:1:19:", "not an IP address"},
        Bad{"server: {listen: [\"1.2.3.4:5\", \"1.2.3.4:5\"]}", "f:1:32:", "twice"},
        Bad{"server: {max_startups: \"10:30\"}", "f:1:24:", "two parts"},
        Bad{"server: {max_startups: \"10:0:20\"}", "f:1:24:", "1 to 100 percent"},
        Bad{"server: {max_startups: \"10:30:5\"}", "f:1:24:", "start <= full"},
        // credentials
        Bad{"authentication: {credentials: {user: a}}", "f:1:31:", "is not a list"},
        Bad{"authentication: {credentials: [a]}", "f:1:32:", "not {user, password}"},
        Bad{"authentication: {credentials: [{user: a}]}", "f:1:32:", "without a password"},
        Bad{"authentication: {credentials: [{password: a}]}", "f:1:32:", "without a user"},
        Bad{"authentication: {credentials: [{user: a, password: ~}]}", "f:1:42:", "no value"},
        Bad{"authentication: {credentials: [{user: a, pass: x, deny: true}]}",
            "f:1:42:", "not a key of a credential"},
        Bad{"authentication: {credentials: [{user: a, deny: 1}, {user: b, password: c}]}",
            "f:1:48:", "neither true nor false"},
        // agreement
        Bad{"container_pool:\n  size: 60\n", "f:2:9:", "max_total is 50"},
        Bad{"container_pool:\n  max_total: 2\n", "f:2:14:", "size is 3"},
        Bad{"authentication: {failure_delay_min: 9s}", "f:1:37:", "min at most max"},
        Bad{"container_pool: {backoff_first: 31s}", "f:1:33:", "backoff_most is 30s"},
        Bad{"container_pool: {backoff_most: 400ms}", "f:1:32:", "backoff_first is 500ms"},
        Bad{"container_pool: {agent_timeout: 3s}", "f:1:33:", "cases.account_timeout is 3s"},
        Bad{"cases: {account_timeout: 1s}", "f:1:26:", "agent_timeout is 1s"},
        Bad{"container_pool: {verify_timeout: 1s}", "f:1:34:", "agent_timeout is 1s"},
        Bad{"container_pool: {claim_timeout: 500ms}", "f:1:33:", "agent_timeout less"},
        Bad{"oci: {userns_base: 4294901760}", "f:1:20:", "last user id"}));

TEST(Load, ReportsAllProblemsAtOnceInTheOrderOfTheFile) {
  const auto problems = problems_of("server:\n  gates: x\n  bogus: 1\ncontainer: {cpus: z}\n");
  ASSERT_EQ(problems.size(), 3U);
  EXPECT_THAT(problems[0], HasSubstr("f:2:10: server.gates: \"x\""));
  EXPECT_THAT(problems[1], HasSubstr("f:3:3:"));
  EXPECT_THAT(problems[2], HasSubstr("f:4:19:"));
}

TEST(Load, NeverShowsAPassword) {
  for (const char* text : {"authentication: {credentials: [hunter2]}",
                           "authentication: {credentials: [{user: a, password: [hunter2]}]}",
                           "authentication: {credentials: {root: hunter2}}"}) {
    for (const std::string& problem : problems_of(text))
      EXPECT_THAT(problem, Not(HasSubstr("hunter2")));
  }
}

TEST(Load, AliasBombsAndEndlessProblemsStaySmall) {
  std::string bomb = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 40; ++i) bomb += fmt::format("a{}: &a{} [*a{}, *a{}]\n", i, i, i - 1, i - 1);
  EXPECT_THAT(problems_of(bomb), Not(IsEmpty()));
  std::string many;
  for (int i = 0; i < 900; ++i) many += fmt::format("k{}: 1\n", i);
  const auto problems = problems_of(many);
  EXPECT_EQ(problems.size(), 101U);
  EXPECT_THAT(problems.back(), HasSubstr("too many problems"));
  EXPECT_THAT(problems_of(std::string(300 * 1024, ' ')), Not(IsEmpty()));
  EXPECT_THAT(problems_of(std::string(100'000, '[')), Not(IsEmpty()));
  EXPECT_THAT(problems_of(std::string(100'000, '{')), Not(IsEmpty()));
}

TEST(LoadFile, SaysWhyAFileCannotBeRead) {
  EXPECT_THAT(to_string(load_file("/nonexistent/x.yaml").problems.at(0)),
              HasSubstr("/nonexistent/x.yaml:1:1: cannot open: No such file"));
  EXPECT_THAT(to_string(load_file("/").problems.at(0)), HasSubstr("not a file"));
}

TEST(Redact, TheGateLearnsNothingThatItMustNotHold) {
  const std::string text = R"(data_dir: /data/dir
server: {listen: ["127.0.0.1:2200"], host_key_dir: /secret/keys, max_sessions: 3}
authentication: {credentials: [{user: root, password: hunter2}], accept_after_failures: false}
docker: {socket: /secret/docker.sock}
oci: {image: /secret/image}
logging: {level: debug}
)";
  const auto redacted = redact_for_gate(text);
  ASSERT_TRUE(redacted);
  EXPECT_THAT(*redacted, Not(HasSubstr("hunter2")));
  EXPECT_THAT(*redacted, Not(HasSubstr("secret")));
  EXPECT_THAT(*redacted, Not(HasSubstr("credentials")));
  EXPECT_THAT(*redacted, Not(HasSubstr("docker:")));
  EXPECT_THAT(*redacted, Not(HasSubstr("oci:")));
  const LoadResult gate = load(*redacted, "gate");
  EXPECT_THAT(gate.problems, IsEmpty());
  EXPECT_EQ(gate.settings.server.listen[0], "127.0.0.1:2200");
  EXPECT_EQ(gate.settings.server.max_sessions, 3U);
  EXPECT_EQ(gate.settings.logging.level, "debug");
  EXPECT_EQ(gate.settings.authentication.accept_after_failures, std::nullopt);
  EXPECT_THAT(gate.settings.authentication.credentials, IsEmpty());
  EXPECT_FALSE(redact_for_gate("nonsense: 1"));
}

TEST(ChangedKeys, AreNamed) {
  Settings after;
  after.server.gates = 2;
  after.authentication.credentials.push_back({"a", "b", false});
  EXPECT_THAT(changed_keys(Settings{}, after),
              testing::ElementsAre("server.gates", "authentication.credentials"));
}

}  // namespace
}  // namespace sandtrap::config
