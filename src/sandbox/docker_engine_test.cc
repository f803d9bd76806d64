#include "sandbox/docker_engine.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <filesystem>
#include <iostream>

#include "base/entropy.h"
#include "sandbox/docker_context.h"
#include "sandbox/docker_process.h"
#include "sandbox/docker_testing.h"
#include "sandbox/testing.h"

namespace sandtrap::sandbox {
namespace {

using testing::converse;
using testing::exec_spec;
using testing::run;
using testing::shell_spec;
namespace json = boost::json;
namespace fs = std::filesystem;

class DockerEngineTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { lease = new testing::EngineLease("docker"); }
  static void TearDownTestSuite() {
    delete lease;
    lease = nullptr;
  }

  void SetUp() override { begin(*lease); }

  void begin(testing::EngineLease& engine_lease) {
    if (engine_lease.socket().empty()) GTEST_SKIP() << engine_lease.why();
    if (testing::guest_archive().empty()) {
      GTEST_SKIP() << "no guest image: images/build.sh makes it";
    }
    base::SystemEntropy entropy;
    options_.socket = engine_lease.socket();
    options_.data_dir =
        fs::temp_directory_path() / ("sandtrap-docker-" + base::random_id(entropy, 8));
    options_.instance = "test" + base::random_id(entropy, 8);
    options_.image_archives = {testing::guest_archive()};
    start();
  }

  void start() {
    engine_ = std::make_unique<DockerEngine>(options_, io_.get_executor(), log_);
    const auto prepared = run(io_, engine_->prepare());
    ASSERT_TRUE(prepared) << prepared.error().context;
    capabilities_ = *prepared;
  }

  void TearDown() override {
    if (!engine_) return;
    start();  // a fresh one reaps what a test left
    for (Leftover& leftover : run(io_, engine_->recover())) run(io_, leftover.sandbox->destroy());
    engine_.reset();
    DockerApi api(io_.get_executor(), options_.socket);
    EXPECT_EQ(count(api, "/containers/json?all=1&filters="), 0U);
    fs::remove_all(options_.data_dir);
  }

  std::size_t count(DockerApi& api, const std::string& path) {
    const auto listed = run(
        io_, api.get(path + net::percent_encode(
                                "{\"label\":[\"sandtrap.instance=" + options_.instance + "\"]}"),
                     DockerApi::kQuick));
    EXPECT_TRUE(listed) << listed.error().context;
    return listed ? json::parse(listed->body).as_array().size() : 999;
  }

  std::unique_ptr<Sandbox> sandbox(Limits limits = Limits{}) {
    base::SystemEntropy entropy;
    limits.capabilities = {"CHOWN", "SETUID", "SETGID", "DAC_OVERRIDE", "FOWNER", "KILL"};
    limits.hostname = "web01";
    auto made = run(io_, engine_->create(base::random_id(entropy, 12), limits));
    EXPECT_TRUE(made) << made.error().context;
    return made ? std::move(*made) : nullptr;
  }
  std::unique_ptr<Process> exec(Sandbox& in, const ProcessSpec& spec) {
    auto process = run(io_, in.exec(spec));
    EXPECT_TRUE(process) << process.error().context;
    return process ? std::move(*process) : nullptr;
  }
  testing::Outcome talk(Sandbox& in, const std::string& command, const std::string& input = "") {
    const auto process = exec(in, exec_spec(command));
    if (!process) return {};
    testing::Conversation conversation;
    conversation.input = input;
    return converse(io_, *process, conversation);
  }
  std::string output_of(Sandbox& in, const std::string& command) {
    return talk(in, command).output;
  }

  static testing::EngineLease* lease;
  boost::asio::io_context io_;
  base::Log log_{"test", base::LogLevel::kError};
  DockerOptions options_;
  Capabilities capabilities_;
  std::unique_ptr<DockerEngine> engine_;
};
testing::EngineLease* DockerEngineTest::lease = nullptr;

TEST_F(DockerEngineTest, StatusesSignalsAndStreams) {
  const auto box = sandbox();
  ASSERT_TRUE(box);
  const auto verified = run(io_, box->verify());
  ASSERT_TRUE(verified) << verified.error().context;
  auto outcome = talk(*box, "echo out; echo err >&2; exit 7");
  EXPECT_EQ(outcome.output, "out\n");
  EXPECT_EQ(outcome.error, "err\n");
  EXPECT_EQ(outcome.exit.kind, ExitResult::Kind::kStatus);
  EXPECT_EQ(outcome.exit.value, 7);
  outcome = talk(*box, "kill -TERM $$");
  EXPECT_EQ(outcome.exit.kind, ExitResult::Kind::kSignal);
  EXPECT_EQ(outcome.exit.value, SIGTERM);
  EXPECT_EQ(talk(*box, "no-such-program").exit.value, 127);
  EXPECT_EQ(output_of(*box, "id -u; hostname"), "0\nweb01\n");
  // Bytes that are no UTF-8, quotes and newlines arrive as they are.
  EXPECT_EQ(output_of(*box, "printf '%s' '\xff\xfe\"%41\n\x01' | od -An -tx1"),
            " ff fe 22 25 34 31 0a 01\n");
  EXPECT_EQ(output_of(*box, "ls -a / | grep -c docker"), "0\n");
  run(io_, box->destroy());
}

TEST_F(DockerEngineTest, MegabytesBothWaysAndHalfClose) {
  const auto box = sandbox();
  std::string data(1 << 20, '\0');
  std::uint32_t state = 1;
  for (char& c : data) c = static_cast<char>((state = state * 1664525U + 1013904223U) >> 24);
  const auto outcome = talk(*box, "cat; echo done >&2", data);
  EXPECT_EQ(outcome.output.size(), data.size());
  EXPECT_TRUE(outcome.output == data);
  EXPECT_EQ(outcome.error, "done\n");
  EXPECT_EQ(outcome.exit.value, 0);
  run(io_, box->destroy());
}

TEST_F(DockerEngineTest, TerminalHasSizeModesResizeAndJobControl) {
  const auto box = sandbox();
  ProcessSpec spec = shell_spec();
  spec.terminal->columns = 101;
  spec.terminal->rows = 33;
  spec.terminal->modes = {1, 0, 0, 0, 24, 0};  // VINTR ^X
  const auto process = exec(*box, spec);
  ASSERT_TRUE(process);
  auto streams = process->take_streams();
  EXPECT_TRUE(streams.early_output.empty());
  testing::Conversation conversation;
  conversation.close_input = false;
  conversation.input = "stty -a; echo name=$0 t=$TERM $(tty) mark$((1+1))\n";
  conversation.until = "mark2";
  auto outcome = converse(io_, *process, streams, conversation);
  EXPECT_NE(outcome.output.find("rows 33; columns 101"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("intr = ^X"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("name=-bash t=xterm /dev/pts/"), std::string::npos)
      << outcome.output;
  ASSERT_TRUE(run(io_, process->resize(120, 50, 0, 0)));
  conversation.input = "stty size; sh -c 'echo up$((1+1)); exec sleep 1000'\n";
  conversation.until = "up2";
  outcome = converse(io_, *process, streams, conversation);
  EXPECT_NE(outcome.output.find("50 120"), std::string::npos) << outcome.output;
  conversation.input = "\x18";
  conversation.until = "# ";  // the prompt is back
  EXPECT_FALSE(converse(io_, *process, streams, conversation).timed_out);
  conversation.input = "exit 3\n";
  conversation.until.clear();
  outcome = converse(io_, *process, streams, conversation);
  EXPECT_FALSE(outcome.timed_out) << outcome.output;
  EXPECT_EQ(outcome.exit.kind, ExitResult::Kind::kStatus);
  EXPECT_EQ(outcome.exit.value, 3);
  run(io_, box->destroy());
}

TEST_F(DockerEngineTest, SignalsAndHangUpReachTheGroup) {
  const auto box = sandbox();
  auto process = exec(*box, exec_spec("sleep 1000 & sleep 1000; echo never"));
  ASSERT_TRUE(run(io_, process->signal(SIGTERM)));
  auto exit = run(io_, process->wait());
  EXPECT_EQ(exit.kind, ExitResult::Kind::kSignal);
  EXPECT_EQ(exit.value, SIGTERM);
  EXPECT_FALSE(run(io_, process->signal(SIGTERM)));

  process = exec(*box, shell_spec());
  process->take_streams().input.reset();  // the gate closed it: the shell runs on
  run(io_, process->hang_up());
  exit = run(io_, process->wait());
  EXPECT_NE(exit.kind, ExitResult::Kind::kUnknown);
  EXPECT_EQ(output_of(*box, "pgrep -c sleep; pgrep -c bash"), "0\n0\n");
  run(io_, box->destroy());
}

// Without the engine's pids (SandTrap in a container of its own): by the engine alone.
TEST_F(DockerEngineTest, SignalsWorkWithoutVisiblePids) {
  const auto box = sandbox();
  const auto context = std::make_shared<DockerContext>(options_, io_.get_executor(), log_);
  ASSERT_TRUE(run(io_, context->exits.start()));
  auto started = run(io_, start_docker_process(context, {"sandtrap-" + box->id(), false},
                                               exec_spec("trap 'exit 5' USR1; echo up; while :; do "
                                                         "sleep 0.1; done")));
  ASSERT_TRUE(started) << started.error().context;
  auto streams = (*started)->take_streams();
  testing::Conversation conversation;
  conversation.close_input = false;
  conversation.until = "up";
  EXPECT_FALSE(converse(io_, **started, streams, conversation).timed_out);
  ASSERT_TRUE(run(io_, (*started)->signal(SIGUSR1)));
  EXPECT_EQ(run(io_, (*started)->wait()).value, 5);

  started = run(io_, start_docker_process(context, {"sandtrap-" + box->id(), false}, shell_spec()));
  ASSERT_TRUE(started) << started.error().context;
  streams = (*started)->take_streams();
  conversation.until = "# ";
  EXPECT_FALSE(converse(io_, **started, streams, conversation).timed_out);
  streams.input.reset();
  run(io_, (*started)->hang_up());
  EXPECT_NE(run(io_, (*started)->wait()).kind, ExitResult::Kind::kUnknown);
  run(io_, box->destroy());
}

TEST_F(DockerEngineTest, EngineWordsStayHere) {
  const auto box = sandbox();
  // With its agent, which would go on without the file.
  EXPECT_EQ(talk(*box, "rm -f /usr/lib/openssh/sshd-session; pkill -KILL sshd").exit.kind,
            ExitResult::Kind::kUnknown);
  const auto refused = run(io_, box->exec(exec_spec("id")));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().context.find("docker"), std::string::npos);
  EXPECT_FALSE(run(io_, box->verify()));
  run(io_, box->destroy());
  EXPECT_FALSE(run(io_, box->exec(exec_spec("id"))));
}

TEST_F(DockerEngineTest, IsolationHolds) {
  Limits limits;
  limits.memory_bytes = 64ULL << 20;
  limits.pids = 40;
  limits.file_size_bytes = 8ULL << 20;
  const auto box = sandbox(limits);
  EXPECT_EQ(output_of(*box, "cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d ' '"), "lo\n");
  EXPECT_EQ(output_of(*box, "cat /proc/net/route | wc -l"), "1\n");
  EXPECT_NE(talk(*box, "echo x > /dev/tcp/192.0.2.1/80").exit.value, 0);
  EXPECT_NE(talk(*box, "mount -t tmpfs none /mnt").exit.value, 0);
  EXPECT_NE(talk(*box, "unshare -Ur true").exit.value, 0);
  EXPECT_NE(talk(*box, "echo x > /proc/sys/kernel/core_pattern").exit.value, 0);
  EXPECT_NE(talk(*box, "mknod /tmp/d b 8 0").exit.value, 0);
  EXPECT_EQ(output_of(*box, "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status"),
            "NoNewPrivs:\t1\nSeccomp:\t2\n");
  EXPECT_EQ(
      output_of(*box, "ls /var/run/docker.sock 2>/dev/null; ls /dev/kmsg /dev/mem 2>/dev/null"),
      "");
  // io_uring_setup is 425; perl is in every Debian.
  const auto uring = talk(*box, "perl -e 'my $p=\"\\0\"x120; exit(syscall(425,4,$p)<0 ? 0 : 1)'");
  EXPECT_EQ(uring.exit.value, 0);
  const auto memory = talk(*box, "perl -e '$x=\"a\"x(200<<20); print length $x'");
  EXPECT_TRUE(memory.output.empty());
  EXPECT_TRUE(memory.exit.kind == ExitResult::Kind::kSignal || memory.exit.value != 0);
  const auto forks = talk(*box, "for i in $(seq 80); do sleep 2 & done; wait; echo all");
  EXPECT_NE(forks.error.find("fork"), std::string::npos) << forks.output << forks.error;
  const auto big = talk(*box, "head -c 16M /dev/zero > /root/big; stat -c %s /root/big");
  EXPECT_EQ(big.output, "8388608\n");
  EXPECT_EQ(output_of(*box, "cat /etc/resolv.conf").find("search"), std::string::npos);
  run(io_, box->destroy());
}

TEST_F(DockerEngineTest, KeptSandboxesCarryTheirLabel) {
  const auto box = sandbox();
  ASSERT_EQ(talk(*box, "echo evidence > /root/left").exit.value, 0);
  Label label;
  label.sandbox = box->id();
  label.case_id = "case-1";
  label.source_ip = "192.0.2.7";
  label.sessions = {"00000000000a"};
  label.recordings = {"recordings/x.cast"};
  ASSERT_TRUE(run(io_, box->mark_claimed(label)));
  const auto kept = run(io_, box->preserve(label));
  ASSERT_TRUE(kept) << kept.error().context;
  EXPECT_EQ(kept->reference, "sandtrap-preserved-" + box->id());
  EXPECT_GT(kept->bytes, 0U);
  EXPECT_TRUE(fs::exists(options_.data_dir + "/preserved/" + box->id() + "/sandbox.json"));
  EXPECT_FALSE(fs::exists(options_.data_dir + "/sandboxes/" + box->id()));
  DockerApi api(io_.get_executor(), options_.socket);
  const std::string path = "/containers/" + kept->reference + "/json";
  ASSERT_TRUE(run(io_, api.get(path, DockerApi::kQuick)));
  EXPECT_TRUE(run(io_, engine_->recover()).empty());
  EXPECT_TRUE(run(io_, api.get(path, DockerApi::kQuick))) << "recovery took it for rubbish";
  EXPECT_FALSE(run(io_, engine_->remove_preserved("debian:12")));
  EXPECT_TRUE(run(io_, engine_->remove_preserved(kept->reference)));
  EXPECT_FALSE(run(io_, api.get(path, DockerApi::kQuick)));
  EXPECT_FALSE(fs::exists(options_.data_dir + "/preserved/" + box->id()));
}

TEST_F(DockerEngineTest, FrozenOnesStandStillAndPreservedOnesStartAgainOnTheirDisk) {
  auto box = sandbox();
  Label label;
  label.sandbox = box->id();
  label.case_id = "case-1";
  ASSERT_TRUE(run(io_, box->mark_claimed(label)));
  ASSERT_EQ(talk(*box, "echo 1 > /root/left").exit.value, 0);
  ASSERT_TRUE(run(io_, box->freeze()));
  EXPECT_TRUE(run(io_, box->freeze()));  // again is fine
  EXPECT_GT(run(io_, box->memory()).value_or(0), 0U);
  auto found = run(io_, engine_->recover());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].frozen);
  ASSERT_TRUE(run(io_, box->thaw()));
  EXPECT_TRUE(run(io_, box->thaw()));
  EXPECT_EQ(output_of(*box, "cat /root/left"), "1\n");
  const std::string id = box->id();
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(run(io_, box->freeze()));
    const auto kept = run(io_, box->preserve(label));
    ASSERT_TRUE(kept) << kept.error().context;
    auto again = run(io_, engine_->restore(kept->reference, id, Limits{}));
    ASSERT_TRUE(again) << again.error().context;
    box = std::move(again->sandbox);
    EXPECT_EQ(output_of(*box, "hostname; cat /root/left"), "web01\n1\n");
  }
  EXPECT_FALSE(run(io_, engine_->restore("sandtrap-preserved-" + id, id, Limits{})));
  run(io_, box->destroy());
}

TEST_F(DockerEngineTest, ACrashIsRecoveredFrom) {
  auto claimed = sandbox();
  auto warm = sandbox();
  auto dead = sandbox();
  Label label;
  label.sandbox = claimed->id();
  label.case_id = "live";
  ASSERT_TRUE(run(io_, claimed->mark_claimed(label)));
  EXPECT_EQ(talk(*claimed, "echo here > /root/f").exit.value, 0);
  label.sandbox = dead->id();
  label.case_id = "dead";
  ASSERT_TRUE(run(io_, dead->mark_claimed(label)));
  DockerApi api(io_.get_executor(), options_.socket);
  ASSERT_TRUE(
      run(io_, api.post("/containers/sandtrap-" + dead->id() + "/kill", "", DockerApi::kQuick)));
  const std::string claimed_id = claimed->id();
  const std::string dead_id = dead->id();
  claimed.reset();
  warm.reset();
  dead.reset();

  start();  // another warden
  auto leftovers = run(io_, engine_->recover());
  ASSERT_EQ(leftovers.size(), 1U);
  EXPECT_EQ(leftovers[0].sandbox->id(), claimed_id);
  EXPECT_EQ(leftovers[0].label.case_id, "live");
  EXPECT_EQ(output_of(*leftovers[0].sandbox, "cat /root/f"), "here\n");
  EXPECT_TRUE(fs::exists(options_.data_dir + "/preserved/" + dead_id + "/sandbox.json"));
  EXPECT_TRUE(run(io_, engine_->remove_preserved(options_.data_dir + "/preserved/" + dead_id)));
  run(io_, leftovers[0].sandbox->destroy());
  EXPECT_FALSE(fs::exists(options_.data_dir + "/sandboxes/" + claimed_id));
}

TEST_F(DockerEngineTest, HowLongThingsTake) {
  const auto milliseconds = [](auto since) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - since)
        .count();
  };
  const auto median = [](std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  };
  std::vector<double> create, open, first, status, gone;
  for (int i = 0; i < 3; ++i) {
    auto start = std::chrono::steady_clock::now();
    const auto box = sandbox();
    create.push_back(milliseconds(start));
    for (int j = 0; j < 5; ++j) {
      start = std::chrono::steady_clock::now();
      const auto process = exec(*box, shell_spec());
      open.push_back(milliseconds(start));
      auto streams = process->take_streams();
      testing::Conversation conversation;
      conversation.close_input = false;
      conversation.limit = std::chrono::seconds(3);
      conversation.until = "~# ";
      converse(io_, *process, streams, conversation);
      first.push_back(milliseconds(start));
      start = std::chrono::steady_clock::now();
      ASSERT_TRUE(run(io_, process->signal(SIGKILL)));
      EXPECT_EQ(run(io_, process->wait()).value, SIGKILL);
      status.push_back(milliseconds(start));
    }
    start = std::chrono::steady_clock::now();
    run(io_, box->destroy());
    gone.push_back(milliseconds(start));
  }
  std::cout << "medians in ms: create and start " << median(create) << ", exec until handed over "
            << median(open) << ", until the prompt " << median(first) << ", kill until known "
            << median(status) << ", destroy " << median(gone) << "\n";
  EXPECT_LT(median(first), 2000);
}

// Its own engine: a restart would pull the others' from under them.
TEST_F(DockerEngineTest, AnEngineRestartIsSurvived) {
  testing::EngineLease own("docker-restart");
  fs::remove_all(options_.data_dir);
  begin(own);
  if (own.socket().empty()) GTEST_SKIP() << own.why();
  const auto box = sandbox();
  const auto process = exec(*box, exec_spec("sleep 1000"));
  own.restart();
  // The engine has forgotten it; a kernel that remembers says SIGKILL.
  EXPECT_NE(run(io_, process->wait()).kind, ExitResult::Kind::kStatus);
  EXPECT_FALSE(run(io_, box->exec(exec_spec("true"))));  // it did not survive, and says so
  run(io_, box->destroy());
  const auto next = sandbox();
  ASSERT_TRUE(next);
  EXPECT_EQ(talk(*next, "exit 4").exit.value, 4);  // events flow again
  run(io_, next->destroy());
  TearDown();
}

}  // namespace
}  // namespace sandtrap::sandbox
