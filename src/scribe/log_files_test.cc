#include "scribe/log_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/gzip.h"
#include "journal/names.h"
#include "journal/reader.h"
#include "scribe/folder_for_test.h"

namespace sandtrap::scribe {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
constexpr char kOne[] = "{\"n\":1}\n";
constexpr char kThree[] = "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n";
constexpr base::WallTime kNow{1'795'302'105'000'000};  // 2026-11-21T23:01:45Z

class LogFilesTest : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    root_.reset(::open(dir_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  LogFiles open() {
    auto files = LogFiles::open(root_);
    EXPECT_TRUE(files);
    return std::move(*files);
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ + "/" + name, std::ios::binary) << text;
  }
  std::vector<std::string> all_lines() const {
    std::vector<std::string> lines;
    auto reader = journal::Reader::open(dir_);
    while (const auto line = reader->next()) lines.emplace_back(*line);
    EXPECT_TRUE(reader->problems().empty());
    return lines;
  }
  std::vector<std::string> in_logs() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(dir_ + "/logs")) {
      names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  base::Fd root_;
};

std::string line_at(base::WallTime time) {
  return "{\"time\":\"" + base::to_iso8601(time) + "\",\"event\":\"x\"}\n";
}

TEST_F(LogFilesTest, IsDueBySizeOrByTheAgeOfItsFirstLine) {
  const LogFiles files = open();
  EXPECT_FALSE(files.due(1, seconds(0), kNow)) << "there is none";
  write("events.jsonl", "");
  EXPECT_FALSE(files.due(1, seconds(0), kNow)) << "an empty one is never moved";
  const std::string line = line_at(kNow);
  write("events.jsonl", line);
  EXPECT_TRUE(files.due(line.size(), hours(1), kNow));
  EXPECT_FALSE(files.due(line.size() + 1, hours(1), kNow));
  EXPECT_FALSE(files.due(1 << 20, seconds(10), {kNow.micros + 9'999'999}));
  EXPECT_TRUE(files.due(1 << 20, seconds(10), {kNow.micros + 10'000'000}));
  write("events.jsonl", "      " + line);  // a torn line that was blanked
  EXPECT_TRUE(files.due(1 << 20, seconds(10), {kNow.micros + 10'000'000}));
  write("events.jsonl", "nonsense\n");
  EXPECT_FALSE(files.due(1 << 20, seconds(10), {kNow.micros + 10'000'000}));
}

TEST_F(LogFilesTest, AWriterKeepsItsFileAndNoLineIsLost) {
  write("events.jsonl", kOne);
  base::Fd writer(::open(log_path().c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  const LogFiles files = open();
  const auto name = files.move(kNow);
  ASSERT_TRUE(name);
  write("events.jsonl", "{\"n\":3}\n");
  ASSERT_EQ(::write(writer.get(), "{\"n\":2}\n", 8), 8);  // it has not heard yet
  EXPECT_EQ(files.plain(), std::vector{*name});
  EXPECT_TRUE(files.has_writer(*name));
  writer.reset();
  EXPECT_FALSE(files.has_writer(*name));
  const auto done = files.finish(*name, true);
  ASSERT_TRUE(done) << done.error().context;
  EXPECT_EQ(done->path, "logs/" + *name + ".gz");
  EXPECT_EQ(done->original_size, 16U);
  EXPECT_EQ(done->size, std::filesystem::file_size(dir_ + "/" + done->path));
  EXPECT_EQ(in_logs(), std::vector{*name + ".gz"});
  EXPECT_EQ(all_lines(), (std::vector<std::string>{"{\"n\":1}", "{\"n\":2}", "{\"n\":3}"}));
}

TEST_F(LogFilesTest, ATornEndIsMendedBeforeItIsCompressed) {
  write("events.jsonl", "{\"a\":1}\n{\"tor");
  const LogFiles files = open();
  const auto name = files.move(kNow);
  ASSERT_TRUE(name && files.finish(*name, true));
  EXPECT_EQ(all_lines(), std::vector<std::string>{"{\"a\":1}"});
}

TEST_F(LogFilesTest, WithoutCompressionTheFileStays) {
  write("events.jsonl", kOne);
  const LogFiles files = open();
  const auto name = files.move(kNow);
  const auto done = files.finish(*name, false);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->path, "logs/" + *name);
  EXPECT_EQ(in_logs(), std::vector{*name});
}

// What kill -9 leaves between any two steps, and what the next start makes of it.
TEST_F(LogFilesTest, ACrashAtAnyPointLosesNothingAndDoublesNothing) {
  const std::string name = journal::moved_name(kNow);
  const std::vector<std::string> lines = {"{\"n\":1}", "{\"n\":2}", "{\"n\":3}"};
  const auto finish_all = [this] {
    const LogFiles files = open();
    for (const std::string& plain : files.plain()) ASSERT_TRUE(files.finish(plain, true));
  };
  std::filesystem::create_directory(dir_ + "/logs");

  // moved, the new one not made
  write("logs/" + name, kThree);
  EXPECT_EQ(all_lines(), lines);
  finish_all();
  EXPECT_EQ(all_lines(), lines);
  EXPECT_EQ(in_logs(), std::vector{name + ".gz"});
  const std::string compressed = content(dir_ + "/logs/" + name + ".gz");

  // half compressed
  std::filesystem::remove(dir_ + "/logs/" + name + ".gz");
  write("logs/" + name, kThree);
  write("logs/." + name + ".gz.new", compressed.substr(0, compressed.size() / 2));
  EXPECT_EQ(all_lines(), lines);
  finish_all();
  EXPECT_EQ(all_lines(), lines);
  EXPECT_EQ(in_logs(), std::vector{name + ".gz"});

  // compressed and renamed, the plain one still there
  write("logs/" + name, kThree);
  EXPECT_EQ(all_lines(), lines);
  finish_all();
  EXPECT_EQ(all_lines(), lines);
  EXPECT_EQ(in_logs(), std::vector{name + ".gz"});
}

TEST_F(LogFilesTest, AFullDiskLeavesThePlainFile) {
  write("events.jsonl", kOne);
  const LogFiles files = open();
  const auto name = files.move(kNow);
  // Nobody can make a file of that name: a folder stands there.
  std::filesystem::create_directories(dir_ + "/logs/." + *name + ".gz.new/x");
  EXPECT_FALSE(files.finish(*name, true));
  EXPECT_EQ(all_lines(), std::vector<std::string>{"{\"n\":1}"});
  EXPECT_EQ(files.plain(), std::vector{*name});
  files.move_back(*name);
  EXPECT_EQ(content(log_path()), kOne);
}

TEST_F(LogFilesTest, TheOldestGoUntilTheBudgetHolds) {
  const LogFiles files = open();
  const std::string text(100'000, 'x');
  std::vector<std::string> names;
  for (int i = 0; i < 5; ++i) {
    names.push_back(journal::moved_name({kNow.micros + i}));
    write("logs/" + names.back(), text);
  }
  write("events.jsonl", text);
  EXPECT_TRUE(files.trim(1 << 20).empty());
  const auto removed = files.trim(350'000);
  ASSERT_EQ(removed.size(), 3U);
  EXPECT_EQ(removed[0].path, "logs/" + names[0]);
  EXPECT_GE(removed[0].bytes, text.size());
  EXPECT_EQ(in_logs(), (std::vector{names[3], names[4]}));
  EXPECT_EQ(files.trim(0).size(), 2U);  // never the one that is written
  EXPECT_EQ(content(log_path()), text);
}

}  // namespace
}  // namespace sandtrap::scribe
