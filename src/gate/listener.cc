#include "gate/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "gate/tcp_syn.h"

namespace sandtrap::gate {
namespace {

Endpoint to_endpoint(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof v4);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return {text, ntohs(v4.sin_port)};
  }
  sockaddr_in6 v6;
  std::memcpy(&v6, &address, sizeof v6);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    ::inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text, sizeof text);
  } else {
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  }
  return {text, ntohs(v6.sin6_port)};
}

bool is_wildcard(const sockaddr_storage& address) {
  const Endpoint endpoint = to_endpoint(address);
  return endpoint.ip == "0.0.0.0" || endpoint.ip == "::";
}

}  // namespace

struct Listener::Socket {
  explicit Socket(boost::asio::any_io_executor executor) : descriptor(std::move(executor)) {}
  boost::asio::posix::stream_descriptor descriptor;
  Endpoint local;
  bool wildcard = true;  // the local address differs from connection to connection
  bool waiting = false;
};

Listener::Listener(boost::asio::any_io_executor executor, base::Log& log,
                   std::function<void(Connection)> on_connection)
    : executor_(executor), log_(log), on_connection_(std::move(on_connection)), retry_(executor) {}

void Listener::listen_on(std::vector<base::Fd> sockets) {
  for (base::Fd& fd : sockets) {
    auto socket = std::make_shared<Socket>(executor_);
    int on = 1;
    ::ioctl(fd.get(), FIONBIO, &on);
    // Inherited by every accepted socket: TCPKeepAlive, on in sshd's default.
    ::setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_SAVE_SYN, &on, sizeof on);
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0) {
      socket->local = to_endpoint(address);
      socket->wildcard = is_wildcard(address);
    }
    boost::system::error_code error;
    socket->descriptor.assign(fd.get(), error);
    if (error) {
      log_.error("listening socket {}: {}", socket->local.ip, error.message());
      continue;
    }
    fd.release();
    sockets_.push_back(std::move(socket));
  }
  for (const auto& socket : sockets_) wait(socket);
}

void Listener::close() {
  for (const auto& socket : sockets_) {
    boost::system::error_code ignored;
    socket->descriptor.close(ignored);
  }
  sockets_.clear();
}

void Listener::pause(Pause why) {
  paused_ |= why;
}

void Listener::resume(Pause why) {
  paused_ &= ~static_cast<unsigned>(why);
  for (const auto& socket : sockets_) wait(socket);
}

void Listener::wait(const std::shared_ptr<Socket>& socket) {
  if (paused_ != 0 || socket->waiting || !socket->descriptor.is_open()) return;
  socket->waiting = true;
  socket->descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                [this, socket](boost::system::error_code error) {
                                  socket->waiting = false;
                                  if (!error && socket->descriptor.is_open()) accept_some(socket);
                                });
}

void Listener::accept_some(const std::shared_ptr<Socket>& socket) {
  for (int i = 0; i < kBatch && paused_ == 0; ++i) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    base::Fd client(::accept4(socket->descriptor.native_handle(),
                              reinterpret_cast<sockaddr*>(&address), &length,
                              SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!client) {
      if (errno == EAGAIN) break;
      // A connection that died in the queue, or a network error that accept(2) passes on.
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        return out_of_descriptors(errno);
      }
      continue;
    }
    Connection connection{std::move(client), to_endpoint(address), socket->local};
    if (socket->wildcard) {
      length = sizeof address;
      if (::getsockname(connection.socket.get(), reinterpret_cast<sockaddr*>(&address), &length) ==
          0) {
        connection.local = to_endpoint(address);
      }
    }
    connection.syn = saved_syn(connection.socket.get());
    on_connection_(std::move(connection));
  }
  wait(socket);
}

void Listener::out_of_descriptors(int error) {
  if ((paused_ & kDescriptors) != 0) return;
  log_.warn("accept: {}; pausing", std::strerror(error));
  pause(kDescriptors);
  retry_.expires_after(std::chrono::milliseconds(100));  // as sshd's usleep
  retry_.async_wait([this](boost::system::error_code aborted) {
    if (!aborted) resume(kDescriptors);
  });
}

}  // namespace sandtrap::gate
