// What of the host a sandbox must neither reach nor read: listening sockets, addresses, names.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>

#include "base/entropy.h"
#include "base/instant.h"
#include "verify/host.h"

namespace sandtrap::verify {
namespace {

constexpr std::size_t kMost = 15;  // of one kind; the probe takes 16

// In hexadecimal: the probe's own command line must not hold what it looks for.
std::string hidden(std::string_view key, std::string_view text) {
  std::string out(key);
  for (const char c : text) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::set<std::string> host_addresses() {
  std::set<std::string> out;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return out;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, ::freeifaddrs);
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    char text[INET6_ADDRSTRLEN] = "";
    const void* address = nullptr;
    if (one->ifa_addr->sa_family == AF_INET) {
      address = &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr;
    } else if (one->ifa_addr->sa_family == AF_INET6) {
      address = &reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr;
    } else {
      continue;
    }
    if (::inet_ntop(one->ifa_addr->sa_family, address, text, sizeof text) != nullptr)
      out.insert(text);
  }
  return out;
}

base::Fd listen_everywhere(int& port) {
  base::Fd socket(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const bool v6 = static_cast<bool>(socket);
  if (!v6) socket = base::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int off = 0;
  if (v6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  sockaddr_storage address{};
  address.ss_family = v6 ? AF_INET6 : AF_INET;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  if (!socket || ::bind(socket.get(), any, length) != 0 || ::listen(socket.get(), 16) != 0 ||
      ::getsockname(socket.get(), any, &length) != 0)
    return {};
  // The port lies at the same place in both forms.
  port = ntohs(reinterpret_cast<const sockaddr_in*>(any)->sin_port);
  return socket;
}

base::Fd listen_abstract(const std::string& name) {
  base::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (!socket || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
      ::listen(socket.get(), 4) != 0)
    return {};
  return socket;
}

// MAJOR:MINOR of this machine's file systems that lie on devices.
std::set<std::string> devices() {
  std::set<std::string> out;
  std::ifstream table("/proc/self/mountinfo");
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string id, parent, device;
    fields >> id >> parent >> device;
    // 0:N has no device behind it: each mount of proc or tmpfs has its own, so they never meet.
    if (!device.empty() && device.compare(0, 2, "0:") != 0) out.insert(device);
  }
  struct stat root {};
  if (::stat("/", &root) == 0)
    out.insert(fmt::format("{}:{}", major(root.st_dev), minor(root.st_dev)));
  return out;
}

std::string own_command() {
  std::string name;
  std::ifstream file("/proc/self/comm");
  std::getline(file, name);
  return name;
}

}  // namespace

Marks make_marks(const config::Settings& settings, bool listen) {
  Marks marks;
  auto& arguments = marks.arguments;
  if (listen) {
    int port = 0;
    marks.listener = listen_everywhere(port);
    if (marks.listener) arguments.push_back(fmt::format("host_port={}", port));
    base::SystemEntropy entropy;
    const std::string name = "verify-" + base::random_id(entropy, 12);
    marks.abstract = listen_abstract(name);
    if (marks.abstract) arguments.push_back("abstract=" + name);
    std::size_t count = 0;
    for (const std::string& one : host_addresses())
      if (++count <= kMost) arguments.push_back(hidden("address=", one));
  }
  arguments.push_back(fmt::format("host_pid={}", ::getpid()));
  arguments.push_back(hidden("host_command=", own_command()));
  std::error_code error;
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  for (const std::string& text :
       {settings.data_dir, settings.run_dir, settings.server.host_key_dir,
        std::filesystem::read_symlink("/proc/self/exe", error).string(), std::string("sandtrap"),
        std::string("docker"), std::string("containerd"), std::string(host)}) {
    if (text.size() > 3 && text.size() < 256) arguments.push_back(hidden("text=", text));
  }
  std::size_t count = 0;
  for (const std::string& one : devices())
    if (++count <= kMost) arguments.push_back(hidden("device=", one));
  return marks;
}

}  // namespace sandtrap::verify
