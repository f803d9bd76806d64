#include "scribe/write_behind.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "scribe/finisher.h"
#include "scribe/folder_for_test.h"

namespace sandtrap::scribe {
namespace {

constexpr std::size_t kMegabyte = 1 << 20;

class WriteBehindTest : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    file_ =
        base::Fd(::open((dir_ + "/x.bin").c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    ASSERT_TRUE(file_);
  }
  void grow(std::size_t bytes) {
    std::string piece(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i) piece[i] = static_cast<char>((text_.size() + i) % 251);
    ASSERT_EQ(::write(file_.get(), piece.data(), piece.size()), static_cast<ssize_t>(bytes));
    text_ += piece;
  }

  base::Fd file_;
  std::string text_;  // what is in it
};

TEST_F(WriteBehindTest, StartsWhatIsNewAndDropsWhatWasStartedBefore) {
  WriteBehind behind;
  grow(2 * kMegabyte + 5);
  ASSERT_TRUE(behind.advance(file_.get()));
  EXPECT_EQ(behind.started(), 2 * kMegabyte);
  EXPECT_EQ(behind.dropped(), 0U);
  grow(kMegabyte);
  ASSERT_TRUE(behind.advance(file_.get()));
  EXPECT_EQ(behind.started(), 3 * kMegabyte);  // whole pages
  EXPECT_EQ(behind.dropped(), 2 * kMegabyte);
  EXPECT_TRUE(content(dir_ + "/x.bin") == text_);
}

TEST_F(WriteBehindTest, LeavesALittleAlone) {
  WriteBehind behind;
  grow(WriteBehind::kStep - 1);
  ASSERT_TRUE(behind.advance(file_.get()));
  EXPECT_EQ(behind.started(), 0U);
}

TEST_F(WriteBehindTest, WhatShrankOrIsNoFileDoesNoHarm) {
  WriteBehind behind;
  grow(2 * kMegabyte);
  ASSERT_TRUE(behind.advance(file_.get()));
  ASSERT_EQ(::ftruncate(file_.get(), 10), 0);
  EXPECT_TRUE(behind.advance(file_.get()));
  EXPECT_EQ(behind.started(), 2 * kMegabyte);
  EXPECT_FALSE(behind.advance(-1));
  EXPECT_EQ(behind.dropped(), 0U);
}

TEST_F(WriteBehindTest, GivesThePageCacheBack) {
  WriteBehind behind;
  grow(4 * kMegabyte);
  ASSERT_TRUE(behind.advance(file_.get()));
  grow(4 * kMegabyte);
  ASSERT_TRUE(behind.advance(file_.get()));
  if (!page_cache_can_go()) GTEST_SKIP() << "a file system that lives in the page cache: " << dir_;
  const auto left = cached_pages(file_.get(), 4 * kMegabyte);
  EXPECT_LT(left, 16);  // a page that somebody looks at this moment stays
}

TEST_F(WriteBehindTest, ALargeFileIsSummedWholeWhileItIsDropped) {
  grow(9 * kMegabyte + 123);
  const auto once = sum_file(file_.get());
  const auto again = sum_file(file_.get());  // from the disk now
  ASSERT_TRUE(once.has_value() && again.has_value());
  EXPECT_EQ(once->size, text_.size());
  EXPECT_EQ(once->sha256, again->sha256);
}

}  // namespace
}  // namespace sandtrap::scribe
