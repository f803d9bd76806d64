#include "casebook/casebook.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <set>

namespace sandtrap::casebook {
namespace {

class CasebookTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/sandtrap-casebook-XXXXXX";
    folder = ::mkdtemp(path);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  static cases::Case sample(const std::string& id) {
    cases::Case out;
    out.id = id;
    out.created = {1};
    out.last_seen = {2};
    out.visits = 7;
    out.established = true;
    out.source_ip = "192.0.2.1";
    out.keys = {{cases::KeyKind::kSource, "192.0.2.1"},
                cases::credential_key("root", std::string("p\0\xff'; DROP TABLE", 16))};
    out.earned = {{"root", std::string("p\0\xff", 3), {5}}};
    out.sandbox = {"0123456789ab", cases::SandboxState::kPreserved, "/p/0123456789ab", 99};
    return out;
  }
  base::Result<Casebook> open(Casebook::Mode mode = Casebook::Mode::kReadWrite) const {
    return Casebook::open(folder, mode);
  }

  std::string folder;
};

TEST_F(CasebookTest, WhatIsSavedIsThereAgain) {
  {
    auto book = open();
    ASSERT_TRUE(book) << book.error().context;
    Changes changes;
    changes.rows["a"] = sample("a");
    changes.rows["b"] = sample("b");
    changes.memory["a"] = std::string("x\0y", 3);
    ASSERT_TRUE(book->save(changes));
    Changes later;
    later.rows["b"] = std::nullopt;
    later.rows["a"] = sample("a");
    ASSERT_TRUE(book->save(later));
  }
  auto book = open(Casebook::Mode::kReadOnly);
  ASSERT_TRUE(book) << book.error().context;
  const auto rows = book->load_cases();
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 1U);
  const cases::Case wanted = sample("a"), &got = rows->front();
  EXPECT_EQ(got.visits, 7U);
  EXPECT_TRUE(got.established);
  EXPECT_EQ(got.earned, wanted.earned);
  EXPECT_EQ(got.earned.front().since.micros, 5);
  EXPECT_EQ(std::set<cases::Key>(got.keys.begin(), got.keys.end()),
            std::set<cases::Key>(wanted.keys.begin(), wanted.keys.end()));
  EXPECT_EQ(got.sandbox.reference, "/p/0123456789ab");
  EXPECT_EQ(got.sandbox.state, cases::SandboxState::kPreserved);
  const auto memory = book->load_memory();
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->front().second, std::string("x\0y", 3));
  EXPECT_FALSE(book->save({{{"c", sample("c")}}, {}}));  // read-only
}

TEST_F(CasebookTest, ThereIsNoneAndAForeignFolderIsRefused) {
  EXPECT_EQ(open(Casebook::Mode::kReadOnly).error().code, base::Errc::kNotFound);
  ASSERT_EQ(::mkdir((folder + "/elsewhere").c_str(), 0700), 0);
  ASSERT_EQ(::symlink("elsewhere", (folder + "/cases").c_str()), 0);
  EXPECT_FALSE(open());
  ::unlink((folder + "/cases").c_str());
  ASSERT_EQ(::mkdir((folder + "/cases").c_str(), 0755), 0);
  EXPECT_EQ(open().error().code, base::Errc::kDenied);
}

TEST_F(CasebookTest, AKillInTheMiddleLosesNoWholeSave) {
  int ready[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto book = open();
    for (int i = 0; book; ++i) {
      Changes changes;
      for (const char* id : {"a", "b"}) {  // always both alike
        changes.rows[id] = sample(id);
        changes.rows[id]->visits = static_cast<std::uint64_t>(i);
      }
      if (!book->save(changes)) ::_exit(1);
      if (i == 20 && ::write(ready[1], "x", 1) != 1) ::_exit(1);
    }
    ::_exit(1);
  }
  ::close(ready[1]);
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ::close(ready[0]);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  auto book = open();
  ASSERT_TRUE(book) << book.error().context;
  const auto rows = book->load_cases();
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_GE(rows->front().visits, 20U);
  EXPECT_EQ(rows->front().visits, rows->back().visits);
}

}  // namespace
}  // namespace sandtrap::casebook
