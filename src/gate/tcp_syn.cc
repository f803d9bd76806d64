#include "gate/tcp_syn.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace sandtrap::gate {
namespace {

using base::ByteView;

constexpr std::size_t kMaxHeaders = 40 + 60;  // IPv6 without extension headers, TCP with options
constexpr std::size_t kMinTcp = 20, kMinIpv4 = 20, kIpv6 = 40;
constexpr std::uint8_t kTcp = 6, kEnd = 0, kNothing = 1, kSegmentSize = 2, kWindowScale = 3;

std::uint16_t u16(ByteView b, std::size_t at) {
  return static_cast<std::uint16_t>(b[at] << 8 | b[at + 1]);
}

// The TCP header behind the IP header; empty if there is none.
ByteView behind_ip(ByteView headers, std::uint8_t& ttl) {
  if (headers.size() < kMinIpv4) return {};
  const unsigned version = headers[0] >> 4;
  if (version == 4) {
    const std::size_t size = (headers[0] & 15U) * std::size_t{4};
    if (size < kMinIpv4 || size > headers.size() || headers[9] != kTcp) return {};
    ttl = headers[8];
    return headers.subspan(size);
  }
  if (version != 6 || headers.size() < kIpv6 || headers[6] != kTcp) return {};
  ttl = headers[7];
  return headers.subspan(kIpv6);
}

void read_options(ByteView options, TcpSyn& syn) {
  while (!options.empty()) {
    const std::uint8_t kind = options[0];
    syn.options.push_back(kind);
    if (kind == kEnd) return;
    std::size_t size = 1;
    if (kind != kNothing) {
      if (options.size() < 2 || options[1] < 2 || options[1] > options.size()) return;
      size = options[1];
    }
    if (kind == kSegmentSize && size == 4) syn.segment_size = u16(options, 2);
    if (kind == kWindowScale && size == 3) syn.window_scale = options[2];
    options = options.subspan(size);
  }
}

}  // namespace

std::optional<TcpSyn> parse_syn(ByteView headers) {
  TcpSyn syn;
  const ByteView tcp = behind_ip(headers, syn.ttl);
  if (tcp.size() < kMinTcp) return std::nullopt;
  const std::size_t size = (tcp[12] >> 4) * std::size_t{4};
  if (size < kMinTcp || size > tcp.size()) return std::nullopt;
  syn.window = u16(tcp, 14);
  read_options(tcp.subspan(kMinTcp, size - kMinTcp), syn);
  return syn;
}

std::string ja4t(const TcpSyn& syn) {
  std::string out = std::to_string(syn.window) + '_';
  if (syn.options.empty()) out += "00";
  const char* dash = "";
  for (const std::uint8_t kind : syn.options) {
    out += dash + std::to_string(kind);
    dash = "-";
  }
  const auto number_or_none = [](auto value) {
    return value && *value != 0 ? std::to_string(*value) : std::string("00");
  };
  return out + "_" + number_or_none(syn.segment_size) + "_" + number_or_none(syn.window_scale);
}

base::Bytes saved_syn(int socket) {
  base::Bytes headers(kMaxHeaders);
  auto size = static_cast<socklen_t>(headers.size());
  if (::getsockopt(socket, IPPROTO_TCP, TCP_SAVED_SYN, headers.data(), &size) != 0) return {};
  headers.resize(size);
  return headers;
}

}  // namespace sandtrap::gate
