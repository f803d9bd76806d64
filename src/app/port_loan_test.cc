#include "app/port_loan.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "app/listening.h"

namespace sandtrap::app {
namespace {

struct Pair {
  Pair() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
    lender.reset(ends[0]);
    borrower.reset(ends[1]);
  }
  base::Fd lender, borrower;
};

ino_t identity(const base::Fd& fd) {
  struct stat info {};
  ::fstat(fd.get(), &info);
  return info.st_ino;
}

TEST(PortLoan, TheSameSocketsArrive) {
  const Pair pair;
  auto bound = bind_listening({"127.0.0.1:0", "127.0.0.2:0"});
  ASSERT_TRUE(bound);
  ASSERT_TRUE(send_ports(pair.lender.get(), *bound));
  const auto got = receive_ports(pair.borrower.get());
  ASSERT_TRUE(got) << got.error().context;
  ASSERT_EQ(got->size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(identity((*got)[i]), identity((*bound)[i]));
}

TEST(PortLoan, WhatIsNoTcpSocketIsRefused) {
  const Pair pair;
  std::vector<base::Fd> wrong;
  wrong.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_TRUE(send_ports(pair.lender.get(), wrong));
  const auto got = receive_ports(pair.borrower.get());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, base::Errc::kInvalid);
}

TEST(PortLoan, AMessageWithoutDescriptorsIsRefused) {
  const Pair pair;
  ASSERT_EQ(::send(pair.lender.get(), "P", 1, 0), 1);
  EXPECT_EQ(receive_ports(pair.borrower.get()).error().code, base::Errc::kInvalid);
}

TEST(PortLoan, TheLendersEndIsSeen) {
  Pair pair;
  pair.lender.reset();
  EXPECT_EQ(receive_ports(pair.borrower.get()).error().code, base::Errc::kUnavailable);
}

TEST(PortLoan, TooManyOrNoSocketsAreNotSent) {
  const Pair pair;
  EXPECT_FALSE(send_ports(pair.lender.get(), {}));
  std::vector<base::Fd> many;
  for (int i = 0; i < 17; ++i) many.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_FALSE(send_ports(pair.lender.get(), many));
}

}  // namespace
}  // namespace sandtrap::app
