#include "app/port_loan.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "app/configuration.h"
#include "app/listening.h"
#include "app/serve.h"
#include "ipc/messages.h"

namespace sandtrap::app {
namespace {

constexpr const char* kName = "ports.sock";
constexpr std::chrono::milliseconds kRetry{100};
constexpr std::size_t kMaxBorrowers = 64;

// Room for the most descriptors that may come, aligned as a header.
union ControlRoom {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int) * ipc::kMaxDescriptors)];
};

base::Result<sockaddr_un> address_in(const std::string& run_dir) {
  const std::string path = run_dir + "/" + kName;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return base::fail(base::Errc::kLimit, "run_dir is too long for a socket: " + path);
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

// From here on they are read, not delivered; process 1 of a container would ignore them otherwise.
base::Result<base::Fd> signals_of_the_end() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT}) ::sigaddset(&set, number);
  base::Fd signals(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!signals || ::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) {
    return base::fail_errno("signalfd", errno);
  }
  return signals;
}

base::Fd new_socket() {
  return base::Fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
}

bool is_trusted(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == 0 || peer.uid == ::geteuid());
}

base::Result<base::Fd> open_lending(const std::string& run_dir) {
  const auto address = address_in(run_dir);
  if (!address) return tl::unexpected(address.error());
  base::Fd socket = new_socket();
  if (!socket) return base::fail_errno("socket", errno);
  ::unlink(address->sun_path);  // of a former lender
  const mode_t mask = ::umask(0177);
  const int bound =
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  const int error = errno;
  ::umask(mask);
  if (bound != 0) return base::fail_errno(address->sun_path, error);
  if (::listen(socket.get(), 16) != 0) return base::fail_errno(address->sun_path, errno);
  return socket;
}

// Until a signal comes. A borrower says nothing: what can be read of it is its end.
void lend(const base::Fd& door, const std::vector<base::Fd>& sockets, const base::Fd& signals,
          base::Log& log) {
  std::vector<base::Fd> borrowers;
  for (;;) {
    std::vector<pollfd> waiting = {{door.get(), POLLIN, 0}, {signals.get(), POLLIN, 0}};
    for (const base::Fd& borrower : borrowers) waiting.push_back({borrower.get(), POLLIN, 0});
    if (::poll(waiting.data(), waiting.size(), -1) < 0) continue;
    for (std::size_t i = borrowers.size(); i > 0; --i) {
      if (waiting[i + 1].revents != 0)
        borrowers.erase(borrowers.begin() + static_cast<long>(i) - 1);
    }
    if (waiting[1].revents != 0) return;
    if (waiting.front().revents == 0) continue;
    base::Fd peer(::accept4(door.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!peer || !is_trusted(peer.get()) || borrowers.size() >= kMaxBorrowers) continue;
    if (const auto sent = send_ports(peer.get(), sockets); !sent) {
      log.warn("lending the ports: {}", sent.error().context);
      continue;
    }
    log.info("the ports are lent to a gate");
    borrowers.push_back(std::move(peer));
  }
}

base::Result<Ports> borrow_once(const sockaddr_un& address) {
  Ports ports;
  ports.lender = new_socket();
  if (!ports.lender) return base::fail_errno("socket", errno);
  if (::connect(ports.lender.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
      0) {
    return base::fail(base::Errc::kUnavailable, std::strerror(errno));
  }
  if (!is_trusted(ports.lender.get())) {
    return base::fail(base::Errc::kDenied, "the lender of the ports is not root");
  }
  auto sockets = receive_ports(ports.lender.get());
  if (!sockets) return tl::unexpected(sockets.error());
  ports.sockets = std::move(*sockets);
  ::fcntl(ports.lender.get(), F_SETFL, O_NONBLOCK);
  return ports;
}

}  // namespace

base::Status send_ports(int socket, const std::vector<base::Fd>& sockets) {
  if (sockets.empty() || sockets.size() > ipc::kMaxDescriptors) {
    return base::fail(base::Errc::kLimit, "a number of sockets that no message carries");
  }
  char mark = 'P';
  iovec text{&mark, 1};
  ControlRoom room{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = room.bytes;
  message.msg_controllen = CMSG_SPACE(sizeof(int) * sockets.size());
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * sockets.size());
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    const int number = sockets[i].get();
    std::memcpy(CMSG_DATA(header) + i * sizeof number, &number, sizeof number);
  }
  if (::sendmsg(socket, &message, MSG_NOSIGNAL) != 1) return base::fail_errno("sendmsg", errno);
  return {};
}

base::Result<std::vector<base::Fd>> receive_ports(int socket) {
  char mark = 0;
  iovec text{&mark, 1};
  ControlRoom room{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = room.bytes;
  message.msg_controllen = sizeof room.bytes;
  ssize_t got = -1;
  do {
    got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return base::fail_errno("recvmsg", errno);
  std::vector<base::Fd> sockets;
  for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
    if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(at) + i * sizeof number, sizeof number);
      sockets.emplace_back(number);
    }
  }
  if (got == 0) return base::fail(base::Errc::kUnavailable, "the lender of the ports has gone");
  if (sockets.empty() || mark != 'P' || (message.msg_flags & MSG_CTRUNC) != 0) {
    return base::fail(base::Errc::kInvalid, "what came at ports.sock are no ports");
  }
  for (const base::Fd& one : sockets) {
    if (!is_tcp(one.get())) {
      return base::fail(base::Errc::kInvalid, "a lent descriptor is no TCP socket");
    }
  }
  return sockets;
}

bool lends_ports(const std::string& run_dir) {
  struct stat info {};
  return ::lstat((run_dir + "/" + kName).c_str(), &info) == 0 && S_ISSOCK(info.st_mode);
}

base::Result<Ports> borrow_ports(const std::string& run_dir, base::Log& log) {
  const auto address = address_in(run_dir);
  if (!address) return tl::unexpected(address.error());
  for (bool told = false;; told = true) {
    auto ports = borrow_once(*address);
    if (ports || ports.error().code != base::Errc::kUnavailable) return ports;
    if (!told) log.info("waiting for `sandtrap listen` at {}", address->sun_path);
    std::this_thread::sleep_for(kRetry);
  }
}

int lend_ports(const std::string& config) {
  const auto settings = read_configuration(config);
  if (!settings) return kBadConfig;
  base::Log log("listen", log_level(*settings));
  const auto signals = signals_of_the_end();
  if (!signals) {
    log.error("{}", signals.error().context);
    return kFailed;
  }
  const auto sockets = bind_listening(settings->server.listen);
  if (!sockets) {
    log.error("{}", sockets.error().context);
    return kFailed;
  }
  const auto door = open_lending(settings->run_dir);
  if (!door) {
    log.error("{}", door.error().context);
    return kFailed;
  }
  fmt::print(stderr, "sandtrap listen ready: {}\n", fmt::join(settings->server.listen, ", "));
  struct stat mine {};
  struct stat there {};
  const std::string path = settings->run_dir + "/" + kName;
  ::lstat(path.c_str(), &mine);
  lend(*door, *sockets, *signals, log);
  // Another lender may have taken the place.
  const bool still = ::lstat(path.c_str(), &there) == 0 && there.st_dev == mine.st_dev &&
                     there.st_ino == mine.st_ino;
  if (still) ::unlink(path.c_str());
  return kOk;
}

}  // namespace sandtrap::app
