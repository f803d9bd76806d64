#include "scribe/data_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scribe/folder_for_test.h"

namespace sandtrap::scribe {
namespace {

constexpr base::WallTime kNow{1'763'766'105'012'345};  // 2025-11-21T23:01:45Z

class DataFolderTest : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    folder_ = open();
  }
  DataFolder open() const {
    auto folder = DataFolder::open(dir_);
    EXPECT_TRUE(folder.has_value());
    EXPECT_TRUE(folder->prepare());
    return std::move(*folder);
  }
  static Origin origin() {
    return {"0123456789ab", "192.0.2.1", "ba9876543210", "192.0.2.1", 50123, 7};
  }
  DataFolder folder_;
};

TEST_F(DataFolderTest, NamesARecordingByTimeSourceSessionAndChannel) {
  const auto made = folder_.create_recording(origin(), kNow);
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->path, "recordings/2025-11-21/230145-192.0.2.1-0123456789ab-7.cast");
  struct stat info {};
  ASSERT_EQ(::stat((dir_ + "/" + made->path).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640U & ~022U);
  EXPECT_TRUE(std::filesystem::exists(dir_ + "/" + sidecar_of(made->path)));
  EXPECT_NE(::fcntl(made->cast.get(), F_GETFL) & O_APPEND, 0);
}

TEST_F(DataFolderTest, ASecondRecordingOfTheSameSecondGetsItsOwnFiles) {
  const auto one = folder_.create_recording(origin(), kNow);
  const auto two = folder_.create_recording(origin(), kNow);
  ASSERT_TRUE(one && two);
  EXPECT_EQ(two->path, "recordings/2025-11-21/230145-192.0.2.1-0123456789ab-7-2.cast");
  folder_.finished(one->path);  // the marker is free, the files are not
  const auto three = folder_.create_recording(origin(), kNow);
  ASSERT_TRUE(three.has_value());
  EXPECT_EQ(three->path, "recordings/2025-11-21/230145-192.0.2.1-0123456789ab-7-3.cast");
}

TEST_F(DataFolderTest, RefusesNamesThatAreNotOurs) {
  Origin bad = origin();
  bad.source_ip = "../../etc";
  EXPECT_FALSE(folder_.create_recording(bad, kNow).has_value());
  bad = origin();
  bad.session = "0123456789a/";
  EXPECT_FALSE(folder_.create_recording(bad, kNow).has_value());
  Origin six = origin();
  six.source_ip = "2001:db8::1";
  EXPECT_EQ(folder_.create_recording(six, kNow)->path,
            "recordings/2025-11-21/230145-2001_db8__1-0123456789ab-7.cast");
}

TEST_F(DataFolderTest, FollowsNoSymbolicLink) {
  ASSERT_EQ(::symlink("/etc/passwd", log_path().c_str()), 0);
  EXPECT_FALSE(folder_.open_log().has_value());
  ASSERT_EQ(::unlink(log_path().c_str()), 0);
  ASSERT_EQ(::symlink("/tmp", (dir_ + "/recordings/2025-11-21").c_str()), 0);
  EXPECT_FALSE(folder_.create_recording(origin(), kNow).has_value());
  EXPECT_TRUE(folder_.unfinished().empty());
}

TEST_F(DataFolderTest, FindsAgainWhatWasNotFinished) {
  const auto made = folder_.create_recording(origin(), kNow);
  const auto other = folder_.create_recording(origin(), kNow);
  ASSERT_TRUE(made && other);
  folder_.mark_complete(made->path);
  folder_.finished(other->path);
  std::ofstream(dir_ + "/recordings/.open/..evil_x") << "{}";
  std::ofstream(dir_ + "/recordings/.open/2025-11-21_999999-192.0.2.1") << "{\"session\":\"01";
  auto found = open().unfinished();
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].path, made->path);
  EXPECT_TRUE(found[0].complete);
  EXPECT_EQ(found[0].origin.session, origin().session);
  EXPECT_EQ(found[0].origin.case_id, origin().case_id);
  EXPECT_EQ(found[0].origin.sandbox, origin().sandbox);
  EXPECT_EQ(found[0].origin.source_port, origin().source_port);
  EXPECT_EQ(found[0].origin.channel, origin().channel);
  EXPECT_EQ(found[1].path, "recordings/2025-11-21/999999-192.0.2.1.cast");
  EXPECT_FALSE(found[1].complete);
}

TEST_F(DataFolderTest, KnowsWhetherSomebodyStillWrites) {
  auto made = folder_.create_recording(origin(), kNow);
  ASSERT_TRUE(made.has_value());
  EXPECT_TRUE(folder_.has_writer(made->path));
  made->cast.reset();
  EXPECT_FALSE(folder_.has_writer(made->path));
  EXPECT_FALSE(folder_.has_writer("recordings/2025-11-21/none.cast"));
}

}  // namespace
}  // namespace sandtrap::scribe
