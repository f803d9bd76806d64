#include "sandbox/fake_engine.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>

#include "sandbox/testing.h"

namespace sandtrap::sandbox {
namespace {

using testing::converse;
using testing::exec_spec;
using testing::run;
using testing::shell_spec;

class FakeEngineTest : public ::testing::Test {
 protected:
  FakeEngineTest() {
    options_.root = std::filesystem::temp_directory_path() /
                    ("sandtrap-fake-test-" + std::to_string(::getpid()));
  }
  ~FakeEngineTest() override { std::filesystem::remove_all(options_.root); }

  void start() {
    engine_ = std::make_unique<FakeEngine>(options_, log_);
    ASSERT_TRUE(run(io_, engine_->prepare()));
  }
  std::unique_ptr<Sandbox> sandbox(const std::string& id = "0123456789ab") {
    auto made = run(io_, engine_->create(id, Limits{}));
    EXPECT_TRUE(made) << made.error().context;
    return made ? std::move(*made) : nullptr;
  }
  std::unique_ptr<Process> exec(Sandbox& in, const ProcessSpec& spec) {
    auto process = run(io_, in.exec(spec));
    EXPECT_TRUE(process) << process.error().context;
    return process ? std::move(*process) : nullptr;
  }
  testing::Outcome exec_and_talk(Sandbox& in, const std::string& command,
                                 const std::string& input = "") {
    const auto process = exec(in, exec_spec(command));
    testing::Conversation conversation;
    conversation.input = input;
    return converse(io_, *process, conversation);
  }

  boost::asio::io_context io_;
  base::Log log_{"test", base::LogLevel::kError};
  FakeOptions options_;
  std::unique_ptr<FakeEngine> engine_;
};

TEST_F(FakeEngineTest, StatusesSignalsAndStreams) {
  start();
  const auto box = sandbox();
  ASSERT_TRUE(run(io_, box->verify()));
  auto outcome = exec_and_talk(*box, "echo out; echo err >&2; exit 7");
  EXPECT_EQ(outcome.output, "out\n");
  EXPECT_EQ(outcome.error, "err\n");
  EXPECT_EQ(outcome.exit.kind, ExitResult::Kind::kStatus);
  EXPECT_EQ(outcome.exit.value, 7);

  outcome = exec_and_talk(*box, "kill -TERM $$");
  EXPECT_EQ(outcome.exit.kind, ExitResult::Kind::kSignal);
  EXPECT_EQ(outcome.exit.value, SIGTERM);

  std::string data(1 << 20, '\0');
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 31 >> 3);
  outcome = exec_and_talk(*box, "cat", data);
  EXPECT_EQ(outcome.output, data);
  run(io_, box->destroy());
  EXPECT_FALSE(std::filesystem::exists(options_.root + "/0123456789ab"));
}

TEST_F(FakeEngineTest, TerminalHasSizeModesAndResize) {
  start();
  const auto box = sandbox();
  ProcessSpec spec = exec_spec(
      "stty -a; trap 'stty size; exit 3' WINCH; echo ready; while :; do sleep 0.05; done");
  spec.terminal = Terminal{};
  spec.terminal->columns = 101;
  spec.terminal->rows = 33;
  spec.terminal->modes = {53, 0, 0, 0, 0, 1, 0, 0, 0, 24, 0};  // ECHO off, VINTR ^X
  const auto process = exec(*box, spec);
  auto streams = process->take_streams();
  testing::Conversation conversation;
  conversation.until = "ready";
  auto outcome = converse(io_, *process, streams, conversation);
  EXPECT_NE(outcome.output.find("rows 33; columns 101"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("intr = ^X"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("-echo "), std::string::npos) << outcome.output;
  ASSERT_TRUE(run(io_, process->resize(120, 50, 0, 0)));
  conversation.until.clear();
  outcome = converse(io_, *process, streams, conversation);
  EXPECT_NE(outcome.output.find("50 120"), std::string::npos) << outcome.output;
  EXPECT_EQ(outcome.exit.value, 3);
}

TEST_F(FakeEngineTest, ShellIsALoginShellAndIsHungUp) {
  start();
  const auto box = sandbox();
  auto process = exec(*box, shell_spec());
  auto streams = process->take_streams();
  testing::Conversation conversation;
  conversation.input = "echo name=$0 term=$TERM tty=$(tty)\n";
  conversation.close_input = false;
  conversation.until = "name=-";
  const auto outcome = converse(io_, *process, streams, conversation);
  EXPECT_FALSE(outcome.timed_out) << outcome.output;
  run(io_, process->hang_up());
  streams.input.reset();
  const auto exit = run(io_, process->wait());
  EXPECT_NE(exit.kind, ExitResult::Kind::kUnknown);
}

TEST_F(FakeEngineTest, SignalReachesTheGroupAndDroppingEndsIt) {
  start();
  const auto box = sandbox();
  const auto process = exec(*box, exec_spec("sleep 100 & sleep 100; echo never"));
  ASSERT_TRUE(run(io_, process->signal(SIGTERM)));
  EXPECT_EQ(run(io_, process->wait()).value, SIGTERM);
  EXPECT_FALSE(run(io_, process->signal(SIGTERM)));

  auto dropped = exec(*box, exec_spec("sleep 100"));
  dropped.reset();
  run(io_, box->destroy());  // returns although nobody waited
}

TEST_F(FakeEngineTest, FailuresAsAsked) {
  options_.create_fails = [](unsigned n) { return n == 1; };
  options_.verify_fails = [](unsigned n) { return n == 2; };
  options_.exec_fails = [](unsigned) { return true; };
  start();
  EXPECT_FALSE(run(io_, engine_->create("0123456789ab", Limits{})));
  const auto box = sandbox();
  EXPECT_TRUE(run(io_, box->verify()));
  EXPECT_FALSE(run(io_, box->verify()));
  EXPECT_FALSE(run(io_, box->exec(exec_spec("true"))));
  EXPECT_EQ(engine_->counts().created, 1U);
  EXPECT_FALSE(run(io_, engine_->create("0123456789ab", Limits{})));  // the id is taken
}

TEST_F(FakeEngineTest, ClaimedSandboxesSurviveACrashAndAreKept) {
  start();
  auto claimed = sandbox("aaaaaaaaaaaa");
  auto warm = sandbox("bbbbbbbbbbbb");
  Label label;
  label.sandbox = "aaaaaaaaaaaa";
  label.case_id = "c1";
  label.sessions = {"000000000001"};
  ASSERT_TRUE(run(io_, claimed->mark_claimed(label)));
  exec_and_talk(*claimed, "echo evidence > left");
  claimed.reset();
  warm.reset();

  start();  // a new engine over the same folder
  auto leftovers = run(io_, engine_->recover());
  ASSERT_EQ(leftovers.size(), 1U);
  EXPECT_EQ(leftovers[0].label.case_id, "c1");
  EXPECT_FALSE(std::filesystem::exists(options_.root + "/bbbbbbbbbbbb"));
  EXPECT_EQ(exec_and_talk(*leftovers[0].sandbox, "cat left").output, "evidence\n");
  const auto kept = run(io_, leftovers[0].sandbox->preserve(leftovers[0].label));
  ASSERT_TRUE(kept) << kept.error().context;
  EXPECT_TRUE(std::filesystem::exists(kept->reference + "/left"));
  EXPECT_TRUE(std::filesystem::exists(kept->reference + "/sandbox.json"));
  EXPECT_GT(kept->bytes, 0U);
  EXPECT_FALSE(run(io_, engine_->remove_preserved("/etc")));
  EXPECT_TRUE(run(io_, engine_->remove_preserved(kept->reference)));
  EXPECT_FALSE(std::filesystem::exists(kept->reference));
}

}  // namespace
}  // namespace sandtrap::sandbox
