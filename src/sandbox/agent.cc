#include "sandbox/agent.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

#include "net/task.h"
#include "sandbox/agent_process.h"
#include "sandbox/guest_login.h"
#include "sandbox/pidfd.h"

namespace sandtrap::sandbox {
namespace {

constexpr std::size_t kMaxMessage = 120 * 1024;  // fits a socket buffer of any Linux
constexpr std::size_t kMaxDescriptors = 4;
constexpr int kFetchedNumber = 3;  // guest/init.c
constexpr int kFetchAttempts = 200;

base::Result<AgentSocket> socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return base::fail_errno("socketpair", errno);
  return AgentSocket{base::Fd(ends[0]), base::Fd(ends[1])};
}

// Its arguments, each ended by a NUL; the agent reads them as `login` reads its own.
base::Result<std::string> message_for(const ProcessSpec& spec) {
  auto arguments = guest_login_arguments(spec);
  if (!arguments) return tl::unexpected(arguments.error());
  std::string out;
  for (std::size_t i = 1; i < arguments->size(); ++i) {
    out += (*arguments)[i];
    out.push_back('\0');
  }
  if (out.size() > kMaxMessage) return base::fail(base::Errc::kUnsupported, "agent: too long");
  return out;
}

base::Status send_start(const base::Fd& socket, std::string& text, const base::Fd& control,
                        const std::vector<base::Fd>& descriptors) {
  std::array<int, kMaxDescriptors> fds{control.get()};
  std::size_t count = 1;
  for (const base::Fd& fd : descriptors) fds[count++] = fd.get();
  iovec part{text.data(), text.size()};
  alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int) * kMaxDescriptors)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = room;
  message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * count);
  std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * count);
  if (::sendmsg(socket.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    return base::fail_errno("agent", errno);
  return {};
}

std::string process_name(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/comm", pid));
  std::string name;
  std::getline(file, name);
  return name;
}

base::Status check_is_agent_socket(const base::Fd& fd) {
  int type = 0, domain = 0;
  socklen_t length = sizeof(int);
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_TYPE, &type, &length) != 0 ||
      ::getsockopt(fd.get(), SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0 ||
      type != SOCK_SEQPACKET || domain != AF_UNIX)
    return base::fail(base::Errc::kInvalid, "agent: not its socket");
  return {};
}

Task<base::Status> run_true(Sandbox& sandbox) {
  ProcessSpec spec;
  spec.kind = ProcessKind::kExec;
  spec.command = "exec /bin/true";
  auto process = co_await sandbox.exec(spec);
  if (!process) co_return base::wrap("verify", process.error());
  const auto streams = (*process)->take_streams();
  const ExitResult result = co_await (*process)->wait();
  if (result.kind == ExitResult::Kind::kStatus && result.value == 0) co_return base::Status{};
  co_return base::fail(base::Errc::kUnavailable,
                       fmt::format("verify: /bin/true ended with {}", result.value));
}

}  // namespace

base::Result<AgentSocket> make_agent_socket() {
  return socket_pair();
}

Task<base::Status> verify_by_exec(Sandbox& sandbox, std::chrono::milliseconds limit) {
  using namespace boost::asio::experimental::awaitable_operators;
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, limit);
  auto result = co_await (run_true(sandbox) || timer.async_wait(net::use_ec));
  if (result.index() == 1)
    co_return base::fail(base::Errc::kTimeout, "verify: no answer from inside the sandbox");
  co_return std::move(std::get<0>(result));
}

Task<base::Result<base::Fd>> fetch_agent_socket(pid_t pid) {
  auto pidfd = open_pidfd(pid);
  if (!pidfd) co_return tl::unexpected(pidfd.error());
  boost::asio::steady_timer pause(co_await boost::asio::this_coro::executor);
  for (int attempt = 0; process_name(pid) != "systemd"; ++attempt) {
    if (attempt == kFetchAttempts)
      co_return base::fail(base::Errc::kTimeout, "agent: the first process is not ready");
    pause.expires_after(std::chrono::milliseconds(2));
    co_await pause.async_wait(net::use_ec);
  }
  base::Fd socket(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd->get(), kFetchedNumber, 0U)));
  if (!socket) co_return base::fail_errno("agent: pidfd_getfd", errno);
  if (auto good = check_is_agent_socket(socket); !good) co_return tl::unexpected(good.error());
  if (auto told = send_signal(*pidfd, SIGUSR1); !told) co_return tl::unexpected(told.error());
  co_return socket;
}

bool may_exec_instead(const base::Error& error) {
  return error.code == base::Errc::kUnavailable || error.code == base::Errc::kUnsupported ||
         error.code == base::Errc::kIo;
}

Agent::Agent(base::Fd socket, SandboxDevices devices, std::chrono::milliseconds start_limit)
    : socket_(std::move(socket)), devices_(std::move(devices)), start_limit_(start_limit) {}

Task<base::Result<std::unique_ptr<Process>>> Agent::start(ProcessSpec spec) {
  auto text = message_for(spec);
  if (!text) co_return tl::unexpected(text.error());
  auto streams = spec.terminal ? open_terminal(devices_, *spec.terminal) : open_pipes(devices_);
  if (!streams) co_return tl::unexpected(streams.error());
  auto control = socket_pair();
  if (!control) co_return tl::unexpected(control.error());
  if (auto sent = send_start(socket_, *text, control->theirs, streams->theirs); !sent) {
    socket_.reset();
    co_return base::fail(base::Errc::kUnavailable, sent.error().context);
  }
  control->theirs.reset();
  streams->theirs.clear();
  auto process = std::make_unique<AgentProcess>(co_await boost::asio::this_coro::executor,
                                                std::move(control->ours), std::move(streams->ours),
                                                spec.terminal.has_value());
  const base::Status begun = co_await process->begun(start_limit_);
  if (begun) co_return process;
  process->abandon();
  // An answer, though a negative one: it is alive, only the sandbox is full.
  if (begun.error().code != base::Errc::kLimit) socket_.reset();
  co_return tl::unexpected(begun.error());
}

}  // namespace sandtrap::sandbox
