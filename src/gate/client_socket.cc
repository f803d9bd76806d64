#include "gate/client_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

namespace sandtrap::gate {
namespace {

IoResult result_of(ssize_t n) {
  if (n > 0) return {IoResult::Kind::kDone, static_cast<std::size_t>(n), 0};
  if (n == 0) return {IoResult::Kind::kEnd, 0, 0};
  if (errno == EAGAIN || errno == EINTR) return {IoResult::Kind::kWouldBlock, 0, 0};
  return {IoResult::Kind::kError, 0, errno};
}

}  // namespace

ClientSocket::ClientSocket(boost::asio::any_io_executor executor, base::Fd socket)
    : socket_(std::move(executor)) {
  boost::system::error_code error;
  const int fd = socket.get();
  socket_.assign(fd, error);
  if (!error) socket.release();  // else closed here, and open() says so
}

IoResult ClientSocket::peek(base::MutableByteView into) {
  return result_of(
      ::recv(socket_.native_handle(), into.data(), into.size(), MSG_PEEK | MSG_DONTWAIT));
}

IoResult ClientSocket::read(base::MutableByteView into) {
  return result_of(::recv(socket_.native_handle(), into.data(), into.size(), MSG_DONTWAIT));
}

IoResult ClientSocket::write(base::ByteView from) {
  return result_of(
      ::send(socket_.native_handle(), from.data(), from.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

void ClientSocket::set_interactive(bool terminal) {
  if (!open()) return;
  const int fd = socket_.native_handle();
  const int on = 1, service = terminal ? 0x10 : 0x08;
  // Both may fail on a connection that is going away; nothing depends on them.
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_storage local{};
  socklen_t length = sizeof local;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length);
  if (local.ss_family == AF_INET6) {
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &service, sizeof service);
  }
  ::setsockopt(fd, IPPROTO_IP, IP_TOS, &service, sizeof service);
}

void ClientSocket::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace sandtrap::gate
