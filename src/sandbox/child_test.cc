#include "sandbox/child.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <csignal>

#include "sandbox/testing.h"

namespace sandtrap::sandbox {
namespace {

using Kind = ExitResult::Kind;

SpawnRequest shell(const std::string& command) {
  SpawnRequest request;
  request.argv = {"/bin/sh", "-c", command};
  return request;
}

class Failing final : public Preparation {
 public:
  const char* apply() const noexcept override {
    errno = EACCES;
    return "the step";
  }
};
class Passing final : public Preparation {
 public:
  const char* apply() const noexcept override { return ::chdir("/usr") == 0 ? nullptr : "chdir"; }
};

// A process that outlived its parent, ended, and was not waited for: the parent must be gone first,
// for a shell reaps its own.
pid_t ended_orphan(const std::string& said) {
  const pid_t pid = std::stoi(said);
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0 ? pid : -1;
}
constexpr const char* kOrphan = "(while kill -0 $$ 2> /dev/null; do :; done; exit 42) & echo $!";

class ChildrenTest : public ::testing::Test {
 protected:
  base::Result<Finished> run(SpawnRequest request, std::chrono::milliseconds limit) {
    return testing::run(io_, children_.run(std::move(request), limit));
  }
  boost::asio::io_context io_;
  Children children_{io_};
};

TEST_F(ChildrenTest, OutputAndStatusArrive) {
  const auto done = run(shell("echo out; echo err >&2; exit 3"), std::chrono::seconds(10));
  ASSERT_TRUE(done);
  EXPECT_EQ(done->output, "out\nerr\n");
  EXPECT_EQ(done->exit.kind, Kind::kStatus);
  EXPECT_EQ(done->exit.value, 3);
  EXPECT_FALSE(done->ok());
}

TEST_F(ChildrenTest, OutputIsBounded) {
  const auto done = run(shell("head -c 3000000 /dev/zero"), std::chrono::seconds(10));
  ASSERT_TRUE(done);
  EXPECT_EQ(done->output.size(), Children::kMaxOutput);
}

TEST_F(ChildrenTest, TheDeadlineEndsTheWholeGroup) {
  const auto done = run(shell("sleep 60 & sleep 60"), std::chrono::milliseconds(50));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, base::Errc::kTimeout);
}

TEST_F(ChildrenTest, NothingOfOursIsInherited) {
  ::setenv("SANDTRAP_SECRET", "x", 1);
  const auto done = run(shell("env; ls /proc/self/fd | wc -l"), std::chrono::seconds(10));
  ::unsetenv("SANDTRAP_SECRET");
  ASSERT_TRUE(done);
  EXPECT_EQ(done->output.find("SECRET"), std::string::npos);
  EXPECT_NE(done->output.find("\n4\n"), std::string::npos) << done->output;
}

TEST_F(ChildrenTest, APreparationRunsInTheChildAndItsFailureIsTold) {
  const Passing passing;
  SpawnRequest request = shell("pwd");
  request.preparation = &passing;
  auto done = run(request, std::chrono::seconds(10));
  ASSERT_TRUE(done);
  EXPECT_EQ(done->output, "/usr\n");
  const Failing failing;
  request.preparation = &failing;
  done = run(request, std::chrono::seconds(10));
  ASSERT_TRUE(done);
  EXPECT_FALSE(done->ok());
  EXPECT_EQ(done->output, "the step: Permission denied");
}

TEST_F(ChildrenTest, AMissingProgramIsAnError) {
  SpawnRequest request;
  request.argv = {"/nonexistent"};
  EXPECT_FALSE(children_.spawn(request));
}

// What a runtime does: it starts a process, writes its number and ends.
TEST_F(ChildrenTest, AnOrphanThatEndedLongAgoStillHasItsStatus) {
  const auto done = run(shell(kOrphan), std::chrono::seconds(10));
  ASSERT_TRUE(done);
  const auto orphan = children_.adopt(ended_orphan(done->output));
  ASSERT_TRUE(orphan) << orphan.error().context;
  ASSERT_TRUE(testing::run(io_, (*orphan)->wait(std::chrono::seconds(10))));
  EXPECT_EQ((*orphan)->result()->value, 42);
  EXPECT_EQ((*orphan)->signal(SIGTERM).error().code, base::Errc::kNotFound);
  EXPECT_EQ((*orphan)->signal_group(SIGTERM).error().code, base::Errc::kNotFound);
}

TEST_F(ChildrenTest, SignalsReachTheGroup) {
  const auto child = children_.spawn(shell("sleep 60; exit 1"));
  ASSERT_TRUE(child);
  EXPECT_FALSE(testing::run(io_, (*child)->wait(std::chrono::milliseconds(20))));
  ASSERT_TRUE((*child)->signal_group(SIGTERM));
  ASSERT_TRUE(testing::run(io_, (*child)->wait()));
  EXPECT_EQ((*child)->result()->kind, Kind::kSignal);
  EXPECT_EQ((*child)->result()->value, SIGTERM);
}

TEST_F(ChildrenTest, WhatNobodyWaitsForIsSweptAtTheSecondLook) {
  const auto done = run(shell(kOrphan), std::chrono::seconds(10));
  ASSERT_TRUE(done);
  const pid_t orphan = ended_orphan(done->output);
  ASSERT_GT(orphan, 0);
  children_.sweep();
  EXPECT_EQ(::kill(orphan, 0), 0);
  // Each look takes one: what other tests left may come first.
  for (int i = 0; i < 100 && ::kill(orphan, 0) == 0; ++i) children_.sweep();
  EXPECT_NE(::kill(orphan, 0), 0);
}

}  // namespace
}  // namespace sandtrap::sandbox
