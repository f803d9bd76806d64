#include "verify/program.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <memory>
#include <optional>

#include "net/task.h"

namespace sandtrap::verify {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kMaxOutput = 512 * 1024;

using Descriptor = asio::posix::stream_descriptor;

// An own copy: asio closes what it is given.
std::optional<Descriptor> descriptor(const asio::any_io_executor& executor, const base::Fd& fd) {
  const int copy = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return std::nullopt;
  return Descriptor(executor, copy);
}

// The input closed as the engine's process sees it: a pipe is closed, a socket half-closed.
void close_input(sandbox::Process::Streams& streams, Descriptor& input) {
  if (streams.output) {
    boost::system::error_code ignored;
    input.close(ignored);
    streams.input.reset();
  } else {
    ::shutdown(streams.input.get(), SHUT_WR);
  }
}

// Both live in one heap object with the timer: its handler may come when the talk is over.
struct Talk {
  explicit Talk(const asio::any_io_executor& executor) : deadline(executor) {}
  asio::steady_timer deadline;
  std::optional<Descriptor> input, output;
  bool late = false;
};

sandbox::Task<bool> send_all(Talk& talk, std::string_view input) {
  const auto [error, put] = co_await asio::async_write(
      *talk.input, asio::buffer(input.data(), input.size()), net::use_ec);
  co_return !error && put == input.size();
}

sandbox::Task<void> receive_all(Talk& talk, std::string& out) {
  std::array<char, 16 * 1024> block{};
  Descriptor& from = talk.output ? *talk.output : *talk.input;
  while (out.size() < kMaxOutput) {
    const auto [error, got] = co_await from.async_read_some(asio::buffer(block), net::use_ec);
    out.append(block.data(), got);
    if (error) co_return;
  }
}

}  // namespace

std::string unframed(std::string_view frames) {
  std::string out;
  while (frames.size() >= 8) {
    std::size_t length = 0;
    for (std::size_t i = 4; i < 8; ++i)
      length = length << 8 | static_cast<unsigned char>(frames[i]);
    const bool is_output = frames[0] == 1;
    frames.remove_prefix(8);
    if (length > frames.size()) break;
    if (is_output) out.append(frames.substr(0, length));
    frames.remove_prefix(length);
  }
  return out;
}

sandbox::Task<base::Result<std::string>> run_program(sandbox::Sandbox& sandbox, Command command) {
  sandbox::ProcessSpec spec;
  spec.kind = sandbox::ProcessKind::kExec;
  spec.command = std::move(command.text);
  auto started = co_await sandbox.exec(spec);
  if (!started) co_return tl::unexpected(started.error());
  sandbox::Process& process = **started;
  sandbox::Process::Streams streams = process.take_streams();

  const auto executor = co_await asio::this_coro::executor;
  const auto talk = std::make_shared<Talk>(executor);
  talk->input = descriptor(executor, streams.input);
  if (streams.output) talk->output = descriptor(executor, streams.output);
  if (!talk->input || (streams.output && !talk->output))
    co_return base::fail_errno("descriptors of a program", errno);
  talk->deadline.expires_after(command.limit);
  talk->deadline.async_wait([weak = std::weak_ptr<Talk>(talk)](boost::system::error_code aborted) {
    const auto late = weak.lock();
    if (aborted || !late) return;
    late->late = true;
    boost::system::error_code ignored;
    if (late->input && late->input->is_open()) late->input->cancel(ignored);
    if (late->output) late->output->cancel(ignored);
  });
  std::string output = base::to_string(streams.early_output);
  const bool sent = command.input.empty() || co_await send_all(*talk, command.input);
  close_input(streams, *talk->input);
  if (sent && !talk->late) co_await receive_all(*talk, output);
  talk->deadline.cancel();
  const bool late = talk->late;
  talk->input.reset();
  talk->output.reset();
  if (late || !sent || output.size() >= kMaxOutput) {
    co_await process.hang_up();
    if (late) co_return base::fail(base::Errc::kTimeout, "a program in the sandbox did not end");
    if (!sent) co_return base::fail(base::Errc::kIo, "the sandbox did not take its input");
  }
  co_return streams.multiplexed ? unframed(output) : output;
}

}  // namespace sandtrap::verify
