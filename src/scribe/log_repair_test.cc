#include "scribe/log_repair.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/fd.h"
#include "event/event_log.h"
#include "scribe/folder_for_test.h"

namespace sandtrap::scribe {
namespace {

class LogRepairTest : public FolderTest {
 protected:
  base::Fd open(int flags) const {
    return base::Fd(::open(log_path().c_str(), flags | O_CREAT | O_CLOEXEC, 0640));
  }
  void put(const std::string& text) const {
    std::ofstream(log_path(), std::ios::binary | std::ios::trunc) << text;
  }
  LogRepair repair() const {
    const base::Fd fd = open(O_RDWR);
    const auto done = repair_log(fd.get());
    EXPECT_TRUE(done.has_value());
    return done.value_or(LogRepair{});
  }
  void append(const std::string& text) const {
    std::ofstream(log_path(), std::ios::binary | std::ios::app) << text;
  }
  static std::string line(const std::string& version) {
    event::Context context;
    context.time.micros = 1'700'000'000'000'000;
    return event::to_line(context, event::ClientVersion{version});
  }
};

TEST_F(LogRepairTest, EveryTruncationParsesAfterTheNextLine) {
  const std::string whole = line("one") + line("t\"w{o}") + line("na\xc3\xafve");
  std::size_t complete = 0;
  for (std::size_t n = 0; n <= whole.size(); ++n) {
    put(whole.substr(0, n));
    if (n > 0 && whole[n - 1] == '\n') ++complete;
    const LogRepair done = repair();
    EXPECT_EQ(done.pieces, n > 0 && whole[n - 1] != '\n' ? 1U : 0U) << n;
    append(line("next"));
    ASSERT_EQ(events().size(), complete + 1) << n;
    EXPECT_EQ(repair().pieces, 0U) << n;  // once is enough
  }
}

TEST_F(LogRepairTest, ALineThatSwallowedATornHalfIsSaved) {
  const std::string torn = line("torn").substr(0, 60);
  put(line("one") + torn + line("two") + torn + torn + line("three"));
  EXPECT_EQ(repair().pieces, 2U);
  const auto all = events();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[1].at("version").as_string(), "two");
  EXPECT_EQ(all[2].at("version").as_string(), "three");
}

TEST_F(LogRepairTest, RubbishInTheMiddleIsBlankedWithItsNewline) {
  put(line("one") + "rest of a line\"}\n" + std::string(5000, '\0') + "\n\n" + line("two"));
  EXPECT_EQ(repair().pieces, 3U);
  EXPECT_EQ(events().size(), 2U);
}

TEST_F(LogRepairTest, LooksAtTheEndOfALongLogOnly) {
  std::string text = "not json\n";
  while (text.size() < kRepairWindow + 100'000) text += line(std::string(500, 'x'));
  put(text + "{\"time\":\"20");
  const LogRepair done = repair();
  EXPECT_EQ(done.pieces, 1U);
  EXPECT_EQ(done.bytes, 11U);
  EXPECT_EQ(content(log_path()).substr(0, 9), "not json\n");
}

// The case that all this is for: a writer is killed at any moment, another one goes on.
TEST_F(LogRepairTest, AKilledWriterLosesAtMostItsLastLine) {
  put("");
  for (int round = 0; round < 5; ++round) {
    const std::size_t before = events().size();
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      event::EventLog log("pot");
      log.attach(open(O_WRONLY | O_APPEND));
      const std::string text(20'000, static_cast<char>('a' + round));
      for (std::uint64_t n = 0;; ++n) {
        static_cast<void>(log.emit({}, event::ClientVersion{text}));
        if (!log.flush()) ::_exit(1);
        if (::write(pipe_ends[1], &n, sizeof n) != sizeof n) ::_exit(1);
      }
    }
    ::close(pipe_ends[1]);
    const base::Fd reports(pipe_ends[0]);
    std::uint64_t written = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
    while (std::chrono::steady_clock::now() < end) {
      ASSERT_EQ(::read(reports.get(), &written, sizeof written),
                static_cast<ssize_t>(sizeof written));
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    while (::read(reports.get(), &written, sizeof written) > 0) continue;
    repair();
    append(line("after"));
    const std::size_t lines = events().size() - before;
    EXPECT_GE(lines, written + 1 + 1);  // all that it knew to be written, and ours
    EXPECT_LE(lines, written + 1 + 2);
  }
}

// Repair while others append must not take a line that is being written for a torn one.
TEST_F(LogRepairTest, LeavesLivingWritersAlone) {
  put("");
  constexpr int kLines = 1000;
  std::atomic<int> running{2};
  const auto append_lines = [&running, this](char letter, std::size_t length) {
    event::EventLog log("pot");
    log.attach(open(O_WRONLY | O_APPEND));
    for (int n = 0; n < kLines; ++n) {
      static_cast<void>(log.emit({}, event::ClientVersion{std::string(length, letter)}));
      EXPECT_TRUE(log.flush());
    }
    --running;
  };
  std::thread one(append_lines, 'x', 30'000), two(append_lines, 'y', 700);
  std::uint64_t pieces = 0;
  int repairs = 0;
  while (running > 0) {
    pieces += repair().pieces;
    ++repairs;
  }
  one.join();
  two.join();
  EXPECT_EQ(pieces, 0U);
  EXPECT_GT(repairs, 0);
  EXPECT_EQ(events().size(), static_cast<std::size_t>(2 * kLines));
}

TEST_F(LogRepairTest, TrimsARecordingToItsLastWholeLine) {
  const std::string cast = "{\"version\": 2}\n[0.1, \"o\", \"x\"]\n[0.2, \"o\", \"" +
                           std::string(100'000, 'y') + "\"]\n";
  for (const std::size_t n : {std::size_t{0}, std::size_t{5}, std::size_t{15}, std::size_t{20},
                              std::size_t{32}, std::size_t{90'000}, cast.size()}) {
    put(cast.substr(0, n));
    const base::Fd fd = open(O_RDWR);
    const auto left = trim_recording(fd.get());
    ASSERT_TRUE(left.has_value());
    const std::string now = content(log_path());
    EXPECT_EQ(*left, now.size());
    EXPECT_TRUE(now.empty() || now.back() == '\n');
    EXPECT_EQ(now, n == 0 ? "" : cast.substr(0, cast.substr(0, n).rfind('\n') + 1));
  }
}

}  // namespace
}  // namespace sandtrap::scribe
