#include "scribe/recording_room.h"

#include <fcntl.h>

#include "scribe/folder_for_test.h"

namespace sandtrap::scribe {
namespace {

constexpr base::WallTime kNow{1'795'302'105'000'000};  // 2026-11-21T23:01:45Z

class RecordingRoomTest : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    std::filesystem::create_directory(dir_ + "/recordings");
    folder_.reset(::open((dir_ + "/recordings").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  void record(const std::string& path, std::size_t size) const {
    std::filesystem::create_directories(std::filesystem::path(dir_ + "/" + path).parent_path());
    std::ofstream(dir_ + "/" + path, std::ios::binary) << std::string(size, 'x');
  }
  bool exists(const std::string& path) const { return std::filesystem::exists(dir_ + "/" + path); }
  RecordingRoom::Outcome trim(std::uint64_t limit, const std::string& busy = "") {
    return room_.trim(
        folder_, limit, [&busy](const std::string& path) { return path == busy; }, kNow);
  }

  base::Fd folder_;
  RecordingRoom room_;
};

TEST_F(RecordingRoomTest, TheOldestFinishedOnesGoFirstWithTheirSidecars) {
  record("recordings/2026-11-19/100000-a.cast", 40'000);
  record("recordings/2026-11-19/100000-a.bin", 40'000);
  record("recordings/2026-11-19/090000-b.cast", 40'000);
  record("recordings/2026-11-21/080000-c.cast", 40'000);
  record("recordings/.open/marker", 100);
  EXPECT_TRUE(trim(1 << 20).removed.empty());
  EXPECT_GE(trim(1 << 20).bytes, 160'000U);

  auto out = trim(130'000);
  ASSERT_EQ(out.removed.size(), 1U);
  EXPECT_EQ(out.removed[0].path, "recordings/2026-11-19/090000-b.cast");
  out = trim(50'000);
  ASSERT_EQ(out.removed.size(), 1U);
  EXPECT_EQ(out.removed[0].path, "recordings/2026-11-19/100000-a.cast");
  EXPECT_GE(out.removed[0].bytes, 80'000U);
  EXPECT_FALSE(exists("recordings/2026-11-19"));  // an empty day goes too
  EXPECT_TRUE(exists("recordings/2026-11-21/080000-c.cast"));
  EXPECT_TRUE(exists("recordings/.open/marker"));
}

TEST_F(RecordingRoomTest, WhatIsWrittenStays) {
  record("recordings/2026-11-18/100000-a.cast", 40'000);
  record("recordings/2026-11-21/100000-b.cast", 40'000);
  const auto out = trim(0, "recordings/2026-11-18/100000-a.cast");
  ASSERT_EQ(out.removed.size(), 1U);
  EXPECT_TRUE(exists("recordings/2026-11-18/100000-a.cast"));
  EXPECT_TRUE(exists("recordings/2026-11-21")) << "today's folder is in use";
  EXPECT_GE(out.bytes, 40'000U);
}

TEST_F(RecordingRoomTest, ManyAreDeletedInPortions) {
  for (int i = 0; i < 2100; ++i) {
    record("recordings/2026-11-18/" + std::to_string(100'000 + i) + ".cast", 1);
  }
  EXPECT_EQ(trim(0).removed.size(), RecordingRoom::kPortion);
  EXPECT_EQ(trim(0).removed.size(), 100U);
  EXPECT_EQ(trim(0).bytes, 0U);
}

}  // namespace
}  // namespace sandtrap::scribe
