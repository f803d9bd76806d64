#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "journal/gzip.h"
#include "journal/names.h"
#include "journal/reader.h"

namespace sandtrap::journal {
namespace {

class Folder {
 public:
  Folder() {
    char path[] = "/tmp/sandtrap-journal.XXXXXX";
    EXPECT_NE(::mkdtemp(path), nullptr);
    dir_ = path;
    std::filesystem::create_directory(dir_ + "/logs");
  }
  ~Folder() { std::filesystem::remove_all(dir_); }
  const std::string& dir() const { return dir_; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ + "/" + name, std::ios::binary) << text;
  }
  void write_gzip(const std::string& name, const std::string& text) const {
    write("plain", text);
    const base::Fd from(::open((dir_ + "/plain").c_str(), O_RDONLY | O_CLOEXEC));
    const base::Fd to(
        ::open((dir_ + "/" + name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    const auto done = compress_file(from.get(), to.get());
    EXPECT_TRUE(done && *done == text.size());
  }
  std::vector<std::string> lines(std::vector<std::string>* problems = nullptr) const {
    std::vector<std::string> all;
    auto reader = Reader::open(dir_);
    EXPECT_TRUE(reader);
    while (const auto line = reader->next()) all.emplace_back(*line);
    if (problems != nullptr) *problems = reader->problems();
    return all;
  }

 private:
  std::string dir_;
};

using Lines = std::vector<std::string>;

TEST(Names, SortAsTimeDoesAndNothingElseIsTheLog) {
  const std::string a = moved_name({1'795'302'105'000'001}),
                    b = moved_name({1'795'302'105'100'000});
  EXPECT_EQ(a.size(), b.size());
  EXPECT_LT(a, b);
  EXPECT_TRUE(is_moved(a));
  EXPECT_TRUE(is_moved(compressed_of(a)));
  EXPECT_FALSE(is_compressed(a));
  EXPECT_TRUE(is_compressed(compressed_of(a)));
  EXPECT_TRUE(is_unfinished(unfinished_of(compressed_of(a))));
  for (const char* other :
       {"", "events.jsonl", "events-.jsonl", "events-20261122T064512.012345Z.jsonl.zst",
        "events-20261122T064512.01234xZ.jsonl", "events-20261122T064512.012345Z.jsonl/../x",
        ".events-20261122T064512.012345Z.jsonl.gz", "x.new", ".new"}) {
    EXPECT_FALSE(is_moved(other)) << other;
    EXPECT_FALSE(is_unfinished(other)) << other;
  }
  EXPECT_EQ(in_order({b, compressed_of(a), "x", a}), (Lines{compressed_of(a), b}));
}

TEST(Reader, ReadsPlainAndCompressedFilesInTheOrderOfTime) {
  const Folder folder;
  folder.write("events.jsonl", "{\"n\":5}\n   \n{\"n\":6}\n{\"torn");
  folder.write("logs/events-20261122T000000.000002Z.jsonl", "{\"n\":3}\n    {\"n\":4}\n");
  folder.write_gzip("logs/events-20261122T000000.000001Z.jsonl.gz", "{\"n\":1}\n{\"n\":2}\n");
  folder.write("logs/other.jsonl", "{\"n\":99}\n");
  EXPECT_EQ(folder.lines(), (Lines{"{\"n\":1}", "{\"n\":2}", "{\"n\":3}", "    {\"n\":4}",
                                   "{\"n\":5}", "{\"n\":6}"}));
}

TEST(Reader, AFileInBothFormsIsReadOnce) {
  const Folder folder;
  folder.write_gzip("logs/events-20261122T000000.000001Z.jsonl.gz", "a\n");
  folder.write("logs/events-20261122T000000.000001Z.jsonl", "a\n");
  EXPECT_EQ(folder.lines(), Lines{"a"});
}

TEST(Reader, ADamagedFileIsNamedAndTheRestIsRead) {
  const Folder folder;
  std::string much;
  for (int i = 0; i < 20000; ++i) much += std::to_string(i * 7919) + "\n";
  const std::string name = "logs/events-20261122T000000.000001Z.jsonl.gz";
  folder.write_gzip(name, much);
  std::filesystem::resize_file(folder.dir() + "/" + name,
                               std::filesystem::file_size(folder.dir() + "/" + name) / 2);
  folder.write("logs/events-20261122T000000.000002Z.jsonl", "b\n");
  folder.write("events.jsonl", "c\n");
  Lines problems;
  const Lines lines = folder.lines(&problems);
  ASSERT_GE(lines.size(), 100U);
  EXPECT_EQ(lines[1], "7919");
  EXPECT_EQ(lines[lines.size() - 2], "b");
  EXPECT_EQ(lines.back(), "c");
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_NE(problems[0].find("000001Z.jsonl.gz: gzip"), std::string::npos) << problems[0];
}

TEST(Reader, ALineThatIsTooLongIsPassedOver) {
  const Folder folder;
  folder.write("events.jsonl", "a\n" + std::string(Reader::kMaxLine * 2, 'x') + "\nb\n");
  Lines problems;
  EXPECT_EQ(folder.lines(&problems), (Lines{"a", "b"}));
  EXPECT_EQ(problems.size(), 1U);
}

TEST(Reader, NoLogIsAnEmptyLogAndNoFolderAnError) {
  const Folder folder;
  EXPECT_TRUE(folder.lines().empty());
  EXPECT_FALSE(Reader::open(folder.dir() + "/missing"));
}

TEST(Reader, FollowsNoLink) {
  const Folder folder;
  folder.write("secret", "secret\n");
  std::filesystem::create_symlink(folder.dir() + "/secret",
                                  folder.dir() + "/logs/events-20261122T000000.000001Z.jsonl");
  Lines problems;
  EXPECT_TRUE(folder.lines(&problems).empty());
  EXPECT_EQ(problems.size(), 1U);
}

RC_GTEST_PROP(Gzip, WhatWasCompressedComesBack, ()) {
  const auto text = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
  const Folder folder;
  folder.write_gzip("x.gz", text);
  auto reader =
      GzipReader::open(base::Fd(::open((folder.dir() + "/x.gz").c_str(), O_RDONLY | O_CLOEXEC)));
  RC_ASSERT(reader.has_value());
  std::string back;
  char block[7];
  for (auto n = reader->read(block, sizeof block); n && *n > 0;
       n = reader->read(block, sizeof block)) {
    back.append(block, *n);
  }
  RC_ASSERT(back == text);
}

}  // namespace
}  // namespace sandtrap::journal
