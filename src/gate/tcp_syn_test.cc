#include "gate/tcp_syn.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <rapidcheck.h>
#include <sys/socket.h>

#include "base/fd.h"

namespace sandtrap::gate {
namespace {

base::Bytes ipv4(base::Bytes tcp) {
  base::Bytes out(20);
  out[0] = 0x45;
  out[8] = 57;
  out[9] = 6;
  base::append(out, tcp);
  return out;
}

base::Bytes syn_with(const base::Bytes& options, std::uint16_t window = 64240) {
  base::Bytes out(20);
  out[12] = static_cast<std::uint8_t>((20 + options.size()) / 4 << 4);
  out[13] = 2;
  out[14] = static_cast<std::uint8_t>(window >> 8);
  out[15] = static_cast<std::uint8_t>(window);
  base::append(out, options);
  return out;
}

const base::Bytes kLinux = {2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7};

}  // namespace

TEST(TcpSynHeaders, OfALinuxClient) {
  const auto syn = parse_syn(ipv4(syn_with(kLinux)));
  ASSERT_TRUE(syn);
  EXPECT_EQ(syn->ttl, 57);
  EXPECT_EQ(ja4t(*syn), "64240_2-4-8-1-3_1460_7");
}

TEST(TcpSynHeaders, OverIpv6) {
  base::Bytes headers(40);
  headers[0] = 0x60;
  headers[6] = 6;
  headers[7] = 64;
  base::append(headers, syn_with(kLinux, 65535));
  const auto syn = parse_syn(headers);
  ASSERT_TRUE(syn);
  EXPECT_EQ(syn->ttl, 64);
  EXPECT_EQ(ja4t(*syn), "65535_2-4-8-1-3_1460_7");
}

TEST(TcpSynHeaders, OfAScannerWithoutOptions) {
  const auto syn = parse_syn(ipv4(syn_with({}, 1024)));
  ASSERT_TRUE(syn);
  EXPECT_EQ(ja4t(*syn), "1024_00_00_00");
}

TEST(TcpSynHeaders, ATornOptionEndsTheList) {
  const auto syn = parse_syn(ipv4(syn_with({2, 4, 5, 0xb4, 3, 200, 7, 0})));
  ASSERT_TRUE(syn);
  EXPECT_EQ(ja4t(*syn), "64240_2-3_1460_00");
}

TEST(TcpSynHeaders, WhatIsNotOneIsRefused) {
  EXPECT_FALSE(parse_syn({}));
  base::Bytes headers = ipv4(syn_with(kLinux));
  for (std::size_t n = 0; n < headers.size(); ++n) {
    EXPECT_FALSE(parse_syn(base::ByteView(headers).first(n))) << n;
  }
  headers[9] = 17;
  EXPECT_FALSE(parse_syn(headers));
}

TEST(TcpSynHeaders, AnyBytesAreReadWithoutHarm) {
  rc::check([](const std::vector<std::uint8_t>& bytes) {
    if (const auto syn = parse_syn(bytes)) RC_ASSERT(syn->options.size() <= 40U);
  });
}

TEST(TcpSynHeaders, OfARealConnection) {
  const base::Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ASSERT_EQ(::setsockopt(listener.get(), IPPROTO_TCP, TCP_SAVE_SYN, &on, sizeof on), 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(listener.get(), raw, size), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  ASSERT_EQ(::getsockname(listener.get(), raw, &size), 0);
  const base::Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(client.get(), raw, sizeof address), 0);
  const base::Fd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const auto syn = parse_syn(saved_syn(server.get()));
  ASSERT_TRUE(syn);
  EXPECT_EQ(syn->segment_size, 65495);  // loopback's MTU less both headers
  EXPECT_FALSE(syn->options.empty());
  EXPECT_TRUE(saved_syn(server.get()).empty());  // the kernel gives it once
}

}  // namespace sandtrap::gate
