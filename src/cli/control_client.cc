#include "cli/control_client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "base/fd.h"
#include "warden/control.h"

namespace sandtrap::cli {

base::Result<std::string> ask_warden(const std::string& run_dir, const std::string& request,
                                     std::chrono::seconds patience) {
  const std::string path = warden::control_path(run_dir);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return base::fail(base::Errc::kInvalid, path + ": too long for a socket");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const base::Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd) return base::fail_errno("socket", errno);
  const timeval limit{patience.count(), 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) {
      return base::fail(base::Errc::kUnavailable, "no sandtrap is running (" + path + ")");
    }
    return base::fail_errno(path, errno);
  }
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) {
    return base::fail_errno("send", errno);
  }
  std::string answer(warden::ControlSocket::kMaxAnswer, '\0');
  const ssize_t size = ::recv(fd.get(), answer.data(), answer.size(), 0);
  if (size < 0) return base::fail_errno("answer", errno);
  if (size == 0) return base::fail(base::Errc::kUnavailable, "sandtrap gave no answer");
  answer.resize(static_cast<std::size_t>(size));
  return answer;
}

}  // namespace sandtrap::cli
