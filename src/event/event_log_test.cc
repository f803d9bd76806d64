#include "event/event_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <fstream>
#include <vector>

namespace sandtrap::event {
namespace {

class EventLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char dir[] = "/tmp/sandtrap-event-log.XXXXXX";
    ASSERT_NE(::mkdtemp(dir), nullptr);
    dir_ = dir;
  }
  void TearDown() override {
    ::unlink(path().c_str());
    ::unlink((dir_ + "/filler").c_str());
    if (mounted_) ::umount2(dir_.c_str(), MNT_DETACH);
    ::rmdir(dir_.c_str());
  }
  std::string path() const { return dir_ + "/events.jsonl"; }
  base::Fd open() const {
    return base::Fd(::open(path().c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
  }
  std::vector<std::string> lines() const {
    std::ifstream in(path());
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }

  std::string dir_;
  bool mounted_ = false;
};

TEST_F(EventLogTest, KeepsLinesUntilADescriptorIsThere) {
  EventLog log("pot");
  int asked = 0;
  log.on_pending([&asked] { ++asked; });
  EXPECT_TRUE(log.emit({}, ClientVersion{"one"}));
  EXPECT_TRUE(log.emit({}, ClientVersion{"two"}));
  EXPECT_EQ(asked, 1);
  EXPECT_TRUE(log.flush());
  EXPECT_GT(log.queued(), 0U);
  log.attach(open());
  EXPECT_EQ(asked, 2);
  EXPECT_TRUE(log.flush());
  EXPECT_EQ(log.queued(), 0U);
  const auto all = lines();
  ASSERT_EQ(all.size(), 2U);
  const auto first = boost::json::parse(all[0]);
  EXPECT_EQ(first.at("sensor").as_string(), "pot");
  EXPECT_EQ(first.at("version").as_string(), "one");
  EXPECT_NE(first.at("time").as_string(), "1970-01-01T00:00:00.000000Z");
}

TEST_F(EventLogTest, AFullBacklogIsSaidAndCounted) {
  EventLog log("pot", 300);
  EXPECT_TRUE(log.emit({}, ClientVersion{"one"}));
  std::size_t lost = 0;
  while (lost < 3) {
    const auto status = log.emit({}, ClientVersion{"more"});
    if (status) continue;
    EXPECT_EQ(status.error().code, base::Errc::kLimit);
    ++lost;
  }
  log.attach(open());
  EXPECT_TRUE(log.flush());
  EXPECT_TRUE(log.emit({}, ClientVersion{"after"}));
  EXPECT_TRUE(log.flush());
  const auto all = lines();
  ASSERT_GE(all.size(), 3U);
  EXPECT_NE(all[all.size() - 2].find("3 events lost"), std::string::npos);
  EXPECT_NE(all.back().find("after"), std::string::npos);
}

// A real file system that runs full: the torn half is completed first once there is room.
TEST_F(EventLogTest, ATornLineIsCompletedWhenThereIsRoomAgain) {
  if (::mount("sandtrap-test", dir_.c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "cannot mount a tmpfs";
  }
  mounted_ = true;
  EventLog log("pot");
  log.attach(open());
  const std::string name(1000, 'n');
  std::size_t emitted = 0;
  base::Status status;
  while (status && emitted < 1000) {
    ASSERT_TRUE(log.emit({}, GlobalRequestSeen{name}));
    ++emitted;
    status = log.flush();
  }
  ASSERT_FALSE(status);
  struct stat torn {};
  ASSERT_EQ(::stat(path().c_str(), &torn), 0);
  ASSERT_EQ(torn.st_size, 64 * 1024);
  EXPECT_GT(log.queued(), 0U);
  EXPECT_FALSE(log.flush());

  ASSERT_EQ(::mount("sandtrap-test", dir_.c_str(), nullptr, MS_REMOUNT, "size=1m"), 0);
  ASSERT_TRUE(log.emit({}, ClientVersion{"last"}));
  ++emitted;
  EXPECT_TRUE(log.flush());
  const auto all = lines();
  ASSERT_EQ(all.size(), emitted);
  for (const auto& line : all) EXPECT_NO_THROW(boost::json::parse(line)) << line;
}

// The scribe came back and blanked the torn half: the line is written again as a whole.
TEST_F(EventLogTest, AfterANewDescriptorATornLineIsWrittenAsAWhole) {
  if (::mount("sandtrap-test", dir_.c_str(), "tmpfs", 0, "size=16k") != 0) {
    GTEST_SKIP() << "cannot mount a tmpfs";
  }
  mounted_ = true;
  EventLog log("pot");
  log.attach(open());
  ASSERT_TRUE(log.emit({}, GlobalRequestSeen{std::string(20000, 'n')}));
  EXPECT_FALSE(log.flush());
  ASSERT_EQ(::mount("sandtrap-test", dir_.c_str(), nullptr, MS_REMOUNT, "size=1m"), 0);
  ASSERT_EQ(::truncate(path().c_str(), 0), 0);
  log.attach(open());
  EXPECT_TRUE(log.flush());
  ASSERT_EQ(lines().size(), 1U);
  EXPECT_EQ(boost::json::parse(lines()[0]).at("name").as_string().size(), 20000U);
}

}  // namespace
}  // namespace sandtrap::event
