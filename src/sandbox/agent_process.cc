#include "sandbox/agent_process.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>

#include "net/task.h"
#include "sandbox/oci_process.h"

namespace sandtrap::sandbox {

AgentProcess::AgentProcess(const boost::asio::any_io_executor& executor, base::Fd control,
                           Streams streams, bool terminal)
    : control_(executor, control.release()), streams_(std::move(streams)) {
  if (terminal) master_ = base::Fd(::fcntl(streams_.input.get(), F_DUPFD_CLOEXEC, 3));
}

AgentProcess::~AgentProcess() {
  hang_up_now();
}

// One packet. Empty: the other side has closed, or says what the agent never would.
Task<std::optional<AgentReply>> AgentProcess::next_reply() {
  for (;;) {
    const auto [error] =
        co_await control_.async_wait(boost::asio::posix::descriptor_base::wait_read, net::use_ec);
    if (error) co_return std::nullopt;
    std::array<std::uint8_t, kMaxAgentReply + 1> packet;
    // Descriptors that came with it are never installed: there is no room for them.
    const ssize_t n = ::recv(control_.native_handle(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0) co_return std::nullopt;
    co_return decode_agent_reply(base::ByteView(packet.data(), static_cast<std::size_t>(n)));
  }
}

Task<base::Status> AgentProcess::begun(std::chrono::milliseconds limit) {
  using namespace boost::asio::experimental::awaitable_operators;
  boost::asio::steady_timer timer(control_.get_executor(), limit);
  const auto first = co_await (next_reply() || timer.async_wait(net::use_ec));
  if (first.index() == 1) co_return base::fail(base::Errc::kUnavailable, "agent: silent");
  const auto& reply = std::get<0>(first);
  if (!reply) co_return base::fail(base::Errc::kUnavailable, "agent: gone");
  if (reply->kind == AgentReply::Kind::kFailed)
    co_return base::fail(base::Errc::kLimit, "agent: cannot start another program");
  if (reply->kind != AgentReply::Kind::kStarted)
    co_return base::fail(base::Errc::kUnavailable, "agent: not its answer");
  co_return base::Status{};
}

void AgentProcess::abandon() {
  boost::system::error_code ignored;
  control_.close(ignored);
  master_.reset();
  streams_ = {};
  result_ = ExitResult{};
}

Process::Streams AgentProcess::take_streams() {
  return std::move(streams_);
}

Task<base::Status> AgentProcess::resize(std::uint32_t columns, std::uint32_t rows,
                                        std::uint32_t width_px, std::uint32_t height_px) {
  if (!master_) co_return base::fail(base::Errc::kInvalid, "no terminal");
  co_return set_window_size(master_.get(), columns, rows, width_px, height_px);
}

// It is the agent that sends it: it knows the process group inside. A full socket drops it.
Task<base::Status> AgentProcess::signal(int number) {
  if (result_ || !control_.is_open())
    co_return base::fail(base::Errc::kNotFound, "the process has ended");
  const auto byte = static_cast<std::uint8_t>(number);
  if (::send(control_.native_handle(), &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
    co_return base::fail_errno("agent: signal", errno);
  co_return base::Status{};
}

Task<ExitResult> AgentProcess::wait() {
  if (!result_) {
    const auto reply = co_await next_reply();
    const bool known = reply && reply->kind == AgentReply::Kind::kExited;
    result_ = known ? reply->exit : ExitResult{};
    // Whoever watched it is gone, as after `pkill sshd`: the terminal goes with him.
    if (!known) hang_up_now();
  }
  co_return *result_;
}

Task<void> AgentProcess::hang_up() {
  hang_up_now();
  co_return;
}

// What closing the last copy of the master makes the kernel do; the gate may still hold one.
// Without a terminal nothing is signalled, as with sshd: a program that was left behind goes on.
void AgentProcess::hang_up_now() {
  const bool runs = !result_ || result_->kind == ExitResult::Kind::kUnknown;
  if (master_ && runs) (void)::ioctl(master_.get(), TIOCVHANGUP);
  master_.reset();
  streams_ = {};
}

}  // namespace sandtrap::sandbox
