#include "app/listening.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "config/value.h"
#include "ipc/messages.h"

namespace sandtrap::app {
namespace {

constexpr int kFirstPassed = 3;  // SD_LISTEN_FDS_START

bool turn_on(int fd, int level, int option) {
  const int on = 1;
  return ::setsockopt(fd, level, option, &on, sizeof on) == 0;
}

base::Result<base::Fd> bind_one(const ListenAddress& at) {
  const int family = at.address.ss_family;
  base::Fd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return base::fail_errno("socket", errno);
  turn_on(fd.get(), SOL_SOCKET, SO_REUSEADDR);
  if (family == AF_INET6) turn_on(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&at.address), at.size) != 0) {
    return base::fail_errno("bind", errno);
  }
  return fd;
}

int number_in(const char* variable) {
  const char* text = std::getenv(variable);
  int number = -1;
  if (text == nullptr) return number;
  const char* end = text + std::strlen(text);
  const auto parsed = std::from_chars(text, end, number);
  return parsed.ec == std::errc() && parsed.ptr == end ? number : -1;
}

}  // namespace

bool is_tcp(int fd) {
  int type = 0, protocol = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
         ::getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 &&
         protocol == IPPROTO_TCP;
}

base::Result<ListenAddress> parse_listen(std::string_view text) {
  const auto bad = [&] {
    return base::fail(base::Errc::kInvalid,
                      "listen address " + std::string(text) + ": neither IP:PORT nor [IPv6]:PORT");
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || text.size() > 64) return bad();
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
  if (parsed.ec != std::errc() || parsed.ptr != end) return bad();

  std::string host(text.substr(0, colon));
  ListenAddress out;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) != 1) return bad();
    std::memcpy(&out.address, &v6, sizeof v6);
    out.size = sizeof v6;
    return out;
  }
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) != 1) return bad();
  std::memcpy(&out.address, &v4, sizeof v4);
  out.size = sizeof v4;
  return out;
}

bool is_listened_to(const std::string& address) {
  const auto wanted = config::parse_listen(address);
  if (!wanted) return false;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream file(table);
    std::string line;
    while (std::getline(file, line)) {
      std::istringstream words(line);
      std::string number, local, remote, state;
      words >> number >> local >> remote >> state;
      const std::size_t colon = local.rfind(':');
      if (state != "0A" || colon == std::string::npos) continue;
      if (std::strtoul(local.c_str() + colon + 1, nullptr, 16) == wanted->port) return true;
    }
  }
  return false;
}

base::Result<std::vector<base::Fd>> bind_listening(const std::vector<std::string>& addresses) {
  if (addresses.size() > ipc::kMaxDescriptors) {
    return base::fail(base::Errc::kLimit,
                      fmt::format("server.listen: at most {} addresses", ipc::kMaxDescriptors));
  }
  std::vector<base::Fd> out;
  for (const std::string& text : addresses) {
    const auto at = parse_listen(text);
    if (!at) return tl::unexpected(at.error());
    auto fd = bind_one(*at);
    if (!fd) return base::wrap("listen on " + text, fd.error());
    out.push_back(std::move(*fd));
  }
  return out;
}

base::Result<std::vector<base::Fd>> passed_sockets() {
  const int count = number_in("LISTEN_FDS");
  const bool ours = number_in("LISTEN_PID") == static_cast<int>(::getpid());
  for (const char* variable : {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}) ::unsetenv(variable);
  std::vector<base::Fd> out;
  if (!ours || count <= 0) return out;
  if (count > static_cast<int>(ipc::kMaxDescriptors)) {
    return base::fail(base::Errc::kLimit, fmt::format("{} sockets were passed, at most {} can be "
                                                      "used",
                                                      count, ipc::kMaxDescriptors));
  }
  for (int fd = kFirstPassed; fd < kFirstPassed + count; ++fd) {
    if (!is_tcp(fd)) {
      return base::fail(base::Errc::kInvalid,
                        fmt::format("descriptor {} was passed as a listening socket and is no TCP "
                                    "socket",
                                    fd));
    }
    // The roles are born with descriptors of fixed numbers (roles.h): out of their way.
    base::Fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 64));
    if (!copy) return base::fail_errno("descriptor of a passed socket", errno);
    ::close(fd);
    out.push_back(std::move(copy));
  }
  return out;
}

}  // namespace sandtrap::app
