// The pure parts of the Docker engine: what it sends, and what it makes of answers.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <signal.h>

#include <boost/json.hpp>

#include "sandbox/docker_api.h"
#include "sandbox/docker_exits.h"
#include "sandbox/docker_process.h"
#include "sandbox/docker_profile.h"
#include "sandbox/docker_ready.h"

namespace sandtrap::sandbox {
namespace {

namespace json = boost::json;

TEST(DockerParse, VersionsCompareByNumber) {
  EXPECT_TRUE(docker_version_less("1.9", "1.41"));
  EXPECT_TRUE(docker_version_less("", "1.41"));
  EXPECT_TRUE(docker_version_less("x", "1.41"));
  EXPECT_FALSE(docker_version_less("1.41", "1.41"));
  EXPECT_FALSE(docker_version_less("2.0", "1.47"));
}

TEST(DockerParse, ExitsComeOnlyFromExecDie) {
  const auto exit = docker_exit_of(
      R"({"Type":"container","Action":"exec_die","Actor":{"Attributes":{"execID":"ab","exitCode":"7"}}})");
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->exec_id, "ab");
  EXPECT_EQ(exit->code, 7);
  EXPECT_FALSE(docker_exit_of(R"({"Action":"die","Actor":{"Attributes":{"exitCode":"7"}}})"));
  EXPECT_FALSE(docker_exit_of(R"({"Action":"exec_die","Actor":{"Attributes":{"execID":"a"}}})"));
  EXPECT_FALSE(docker_exit_of(
      R"({"Action":"exec_die","Actor":{"Attributes":{"execID":"a","exitCode":"7x"}}})"));
  EXPECT_FALSE(docker_exit_of("{"));
  EXPECT_TRUE(rc::check([](const std::string& any) { docker_exit_of(any); }));
}

base::Bytes framed(const std::string& text) {
  base::Bytes out = {1, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(text.size())};
  base::append(out, base::as_bytes(text));
  return out;
}

TEST(DockerParse, TheGuestsLoginIsKnownByItsLine) {
  using State = GuestReady::State;
  const std::string line =
      "\x06"
      "1234\n";
  for (std::size_t n = 0; n < line.size(); ++n) {
    EXPECT_EQ(parse_guest_ready(base::as_bytes(line.substr(0, n)), false).state,
              State::kIncomplete);
  }
  EXPECT_EQ(parse_guest_ready(base::as_bytes(line), false).pid, 1234);
  base::Bytes frames = framed(line.substr(0, 2));
  base::append(frames, framed(line.substr(2)));
  for (std::size_t n = 0; n < frames.size(); ++n) {
    EXPECT_EQ(parse_guest_ready(base::ByteView(frames).first(n), true).state, State::kIncomplete);
  }
  EXPECT_EQ(parse_guest_ready(frames, true).pid, 1234);

  for (const std::string text : {"OCI runtime exec failed", "\x06x", "\x06\n",
                                 "\x06"
                                 "1\n",
                                 "\x06"
                                 "99999999999\n",
                                 "\x06"
                                 "12\nmore"}) {
    EXPECT_EQ(parse_guest_ready(base::as_bytes(text), false).state, State::kForeign) << text;
  }
  frames[0] = 2;  // standard error
  EXPECT_EQ(parse_guest_ready(frames, true).state, State::kForeign);
  EXPECT_TRUE(rc::check([](const base::Bytes& any, bool multiplexed) {
    const GuestReady ready = parse_guest_ready(any, multiplexed);
    if (ready.state == State::kReady) RC_ASSERT(ready.pid >= 2);
  }));
}

TEST(DockerParse, StatusesAboveTheSignalsStayStatuses) {
  ProcessSpec plain;
  plain.kind = ProcessKind::kExec;
  ProcessSpec shell;
  shell.terminal = Terminal{};
  EXPECT_EQ(docker_exit_result(7, plain).value, 7);
  EXPECT_EQ(docker_exit_result(143, plain).kind, ExitResult::Kind::kSignal);
  EXPECT_EQ(docker_exit_result(139, plain).value, SIGSEGV);
  EXPECT_EQ(docker_exit_result(139, shell).kind, ExitResult::Kind::kStatus);
  EXPECT_EQ(docker_exit_result(130, shell).value, 130);  // Ctrl-C, then exit
  EXPECT_EQ(docker_exit_result(255, plain).value, 255);
}

TEST(DockerParse, TheProfileIsWhole) {
  DockerContainer container;
  container.image = "i";
  container.instance = "n";
  container.sandbox = "0123456789ab";
  container.seccomp = "{\"a\":1}";
  container.limits.capabilities = {"CHOWN"};
  const auto body = json::parse(docker_create_body(container)).as_object();
  const auto& host = body.at("HostConfig").as_object();
  EXPECT_EQ(host.at("NetworkMode"), "none");
  EXPECT_EQ(host.at("Memory"), host.at("MemorySwap"));
  EXPECT_EQ(host.at("NanoCpus").to_number<std::int64_t>(), 500000000);
  EXPECT_EQ(host.at("PidsLimit").to_number<int>(), 100);
  EXPECT_EQ(host.at("CapDrop"), (json::array{"ALL"}));
  EXPECT_EQ(host.at("CapAdd"), (json::array{"CHOWN"}));
  EXPECT_EQ(host.at("SecurityOpt"), (json::array{"no-new-privileges", "seccomp={\"a\":1}"}));
  EXPECT_FALSE(host.contains("MaskedPaths"));  // an empty list would open core_pattern
  EXPECT_FALSE(host.contains("ReadonlyPaths"));
  EXPECT_FALSE(host.contains("Privileged"));
  EXPECT_FALSE(host.contains("Binds"));
  EXPECT_FALSE(host.contains("StorageOpt"));
  container.limit_disk = true;
  EXPECT_TRUE(json::parse(docker_create_body(container))
                  .at("HostConfig")
                  .as_object()
                  .contains("StorageOpt"));
}

}  // namespace
}  // namespace sandtrap::sandbox
