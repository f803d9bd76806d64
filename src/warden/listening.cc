#include "warden/listening.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace sandtrap::warden {
namespace {

constexpr int kBacklog = 1024;

bool turn_on(int fd, int level, int option) {
  const int on = 1;
  return ::setsockopt(fd, level, option, &on, sizeof on) == 0;
}

base::Result<base::Fd> new_socket(const ListenAddress& at, bool share) {
  const int family = at.address.ss_family;
  base::Fd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return base::fail_errno("socket", errno);
  turn_on(fd.get(), SOL_SOCKET, SO_REUSEADDR);
  if (family == AF_INET6) turn_on(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY);
  if (share) turn_on(fd.get(), SOL_SOCKET, SO_REUSEPORT);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&at.address), at.size) != 0) {
    return base::fail_errno("bind", errno);
  }
  return fd;
}

base::Result<base::Fd> open_one(const ListenAddress& at, bool share) {
  auto fd = new_socket(at, false);
  if (!fd && share) fd = new_socket(at, true);
  if (!fd) return fd;
  // Set after bind(): a later warden may join, but this bind() has proved that we are alone.
  turn_on(fd->get(), SOL_SOCKET, SO_REUSEPORT);
  if (::listen(fd->get(), kBacklog) != 0) return base::fail_errno("listen", errno);
  return fd;
}

// "pid starttime": a process id alone may have been used again since.
std::string identity(int pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(file, line);
  const auto name_end = line.rfind(')');  // the name may hold blanks; starttime is field 22
  if (name_end == std::string::npos) return "";
  std::size_t at = name_end + 1;
  for (int field = 3; field < 22 && at != std::string::npos; ++field) at = line.find(' ', at + 1);
  if (at == std::string::npos) return "";
  return fmt::format("{} {}", pid, line.substr(at + 1, line.find(' ', at + 1) - at - 1));
}

}  // namespace

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

base::Result<std::vector<base::Fd>> open_listening(const std::vector<std::string>& addresses,
                                                   bool share) {
  std::vector<base::Fd> out;
  for (const std::string& text : addresses) {
    const auto at = parse_listen(text);
    if (!at) return tl::unexpected(at.error());
    auto fd = open_one(*at, share);
    if (!fd) return base::wrap("listen on " + text, fd.error());
    out.push_back(std::move(*fd));
  }
  return out;
}

bool listened_before(const std::string& run_dir, int supervisor) {
  const std::string wanted = identity(supervisor);
  std::string line;
  std::ifstream file(run_dir + "/listening");
  return !wanted.empty() && std::getline(file, line) && line == wanted;
}

void note_listening(const std::string& run_dir, int supervisor) {
  std::error_code error;
  std::filesystem::create_directories(run_dir, error);
  std::ofstream(run_dir + "/listening", std::ios::trunc) << identity(supervisor) << '\n';
}

}  // namespace sandtrap::warden
