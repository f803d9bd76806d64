#include "sandbox/account_check.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "sandbox/testing.h"

namespace sandtrap::sandbox {
namespace {

using namespace std::chrono_literals;

// What somebody inside who took the agent's place may do with his end of the pipe.
class ShrunkProcess final : public Process {
 public:
  ShrunkProcess() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    theirs_ = base::Fd(ends[0]);
    ours_.input = base::Fd(ends[1]);
    ours_.output = base::Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    EXPECT_GE(::fcntl(theirs_.get(), F_SETPIPE_SZ, 4096), 4096);
  }
  Streams take_streams() override { return std::move(ours_); }
  Task<base::Status> resize(std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t) override {
    co_return base::Status{};
  }
  Task<base::Status> signal(int) override { co_return base::Status{}; }
  Task<ExitResult> wait() override { co_return ExitResult{ExitResult::Kind::kStatus, 0, false}; }
  Task<void> hang_up() override { co_return; }

 private:
  base::Fd theirs_;
  Streams ours_;
};

class StubSandbox final : public Sandbox {
 public:
  const std::string& id() const override { return id_; }
  Task<base::Result<std::unique_ptr<Process>>> exec(const ProcessSpec&) override {
    co_return std::make_unique<ShrunkProcess>();
  }
  Task<base::Status> verify() override { co_return base::Status{}; }
  Task<base::Status> mark_claimed(const Label&) override { co_return base::Status{}; }
  Task<base::Status> freeze() override { co_return base::Status{}; }
  Task<base::Status> thaw() override { co_return base::Status{}; }
  Task<base::Result<std::uint64_t>> memory() override { co_return std::uint64_t{0}; }
  Task<base::Result<Preserved>> preserve(const Label&) override { co_return Preserved{}; }
  Task<void> destroy() override { co_return; }

 private:
  std::string id_ = "0123456789ab";
};

TEST(AccountCheck, APipeThatTheInsideHasShrunkBlocksNobody) {
  boost::asio::io_context io;
  StubSandbox sandbox;
  AccountQuestion question;
  question.input = std::string(20'000, 'k');
  const auto answer = testing::run(io, ask_account(sandbox, question, 2s));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, base::Errc::kLimit);
  question.input = "secret";
  const auto small = testing::run(io, ask_account(sandbox, question, 2s));
  ASSERT_TRUE(small);
  EXPECT_EQ(*small, AccountAnswer::kAccepted);
}

}  // namespace
}  // namespace sandtrap::sandbox
