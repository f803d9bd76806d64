#include "warden/control.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstring>

namespace sandtrap::warden {
namespace {

constexpr std::chrono::seconds kPatience{5};  // for the request of one who has connected
constexpr std::chrono::milliseconds kPause{100};

bool is_ours(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == ::geteuid();
}

}  // namespace

std::string control_path(const std::string& run_dir) {
  return run_dir + "/control.sock";
}

ControlSocket::ControlSocket(net::asio::any_io_executor executor, Handler handler, base::Log& log)
    : executor_(executor),
      handler_(std::move(handler)),
      log_(log),
      tasks_(executor, log),
      listener_(executor) {}

base::Status ControlSocket::listen(const std::string& run_dir) {
  path_ = control_path(run_dir);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) {
    return base::fail(base::Errc::kInvalid, path_ + ": too long for a socket");
  }
  std::memcpy(address.sun_path, path_.c_str(), path_.size());
  base::Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::fail_errno("control socket", errno);
  ::unlink(path_.c_str());  // of a warden that was killed; the lock says that it is gone
  const mode_t before = ::umask(0177);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  ::umask(before);
  if (bound != 0) return base::fail_errno("bind " + path_, error);
  if (::listen(fd.get(), 8) != 0) return base::fail_errno("listen " + path_, errno);
  listener_.assign(fd.release());
  tasks_.spawn("control", accept_loop());
  return {};
}

void ControlSocket::close() {
  boost::system::error_code ignored;
  listener_.close(ignored);
  if (!path_.empty()) ::unlink(path_.c_str());
}

net::Task<void> ControlSocket::accept_loop() {
  while (listener_.is_open()) {
    const auto [error] =
        co_await listener_.async_wait(net::asio::posix::stream_descriptor::wait_read, net::use_ec);
    if (error || !listener_.is_open()) co_return;
    base::Fd client(
        ::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client && errno != EAGAIN) {  // no descriptor is free: not again at once
      net::asio::steady_timer pause(executor_, kPause);
      co_await pause.async_wait(net::use_ec);
    }
    if (!client || !is_ours(client.get()) || clients_ >= kMaxClients) continue;
    ++clients_;
    tasks_.spawn("control request", serve(std::move(client)));
  }
}

net::Task<void> ControlSocket::serve(base::Fd client) {
  // Shared: the timer's handler may be under way when this has ended.
  const auto shared =
      std::make_shared<net::asio::posix::stream_descriptor>(executor_, client.release());
  net::asio::posix::stream_descriptor& stream = *shared;
  net::asio::steady_timer patience(executor_, kPatience);
  patience.async_wait([weak = std::weak_ptr(shared)](boost::system::error_code aborted) {
    const auto alive = weak.lock();
    if (!aborted && alive) alive->cancel();
  });
  const auto [error] =
      co_await stream.async_wait(net::asio::posix::stream_descriptor::wait_read, net::use_ec);
  patience.cancel();
  std::string request(kMaxRequest + 1, '\0');
  const ssize_t size =
      error ? -1 : ::recv(stream.native_handle(), request.data(), request.size(), MSG_DONTWAIT);
  if (size > 0 && static_cast<std::size_t>(size) <= kMaxRequest) {
    request.resize(static_cast<std::size_t>(size));
    const std::string answer = co_await handler_(std::move(request));
    const ssize_t sent = ::send(stream.native_handle(), answer.data(), answer.size(),
                                MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR);
    if (sent < 0) log_.warn("control: the answer could not be sent");
  }
  --clients_;
}

}  // namespace sandtrap::warden
