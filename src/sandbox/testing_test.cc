#include "sandbox/testing.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace sandtrap::sandbox::testing {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

void set_nonblocking(const base::Fd& fd) {
  if (fd) ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

class Talk {
 public:
  Talk(Process::Streams& streams, const Conversation& conversation)
      : streams_(streams), conversation_(conversation), start_(Clock::now()) {
    set_nonblocking(streams.input);
    set_nonblocking(streams.output);
    set_nonblocking(streams.error);
    out_ = base::to_string(streams.early_output);
    if (!out_.empty()) first_byte_ms_ = 0;
    streams.early_output.clear();
    out_open_ = true;
    err_open_ = static_cast<bool>(streams.error);
  }

  bool done() const {
    if (!conversation_.until.empty() && out_.find(conversation_.until) != std::string::npos) {
      return true;
    }
    return !out_open_ && !err_open_;
  }
  bool late() const { return Clock::now() - start_ > conversation_.limit; }

  void step() {
    const bool duplex = !streams_.output;
    const int out_fd = duplex ? streams_.input.get() : streams_.output.get();
    const bool writing = input_open_ && streams_.input;
    if (writing && sent_ == conversation_.input.size()) {
      finish_input(duplex);
    }
    pollfd fds[3] = {{out_open_ ? out_fd : -1, POLLIN, 0},
                     {err_open_ ? streams_.error.get() : -1, POLLIN, 0},
                     {input_open_ && streams_.input ? streams_.input.get() : -1, POLLOUT, 0}};
    ::poll(fds, 3, 5);
    if (fds[0].revents != 0) take(out_fd, out_, out_open_);
    if (fds[1].revents != 0) take(streams_.error.get(), err_, err_open_);
    if (fds[2].revents != 0) give();
  }

  Outcome outcome() {
    Outcome outcome;
    outcome.output = out_;
    outcome.error = err_;
    if (streams_.multiplexed) split(outcome);
    outcome.first_byte_ms = first_byte_ms_;
    outcome.total_ms = since(start_);
    return outcome;
  }

 private:
  void finish_input(bool duplex) {
    if (!conversation_.close_input) {
      input_open_ = false;
    } else if (!duplex) {
      streams_.input.reset();
      input_open_ = false;
    } else {
      if (streams_.multiplexed) ::shutdown(streams_.input.get(), SHUT_WR);
      input_open_ = false;
    }
  }

  void take(int fd, std::string& into, bool& open) {
    char chunk[65536];
    const ssize_t n = ::read(fd, chunk, sizeof chunk);
    if (n > 0) {
      if (first_byte_ms_ < 0) first_byte_ms_ = since(start_);
      into.append(chunk, static_cast<std::size_t>(n));
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
      open = false;  // EIO is a terminal's end
    }
  }

  void give() {
    const std::string& input = conversation_.input;
    const ssize_t n = ::write(streams_.input.get(), input.data() + sent_, input.size() - sent_);
    if (n > 0) sent_ += static_cast<std::size_t>(n);
    if (n < 0 && errno != EAGAIN && errno != EINTR) input_open_ = false;
  }

  static void split(Outcome& outcome) {  // 8-byte header: stream, 3 zeros, big-endian length
    const std::string raw = std::move(outcome.output);
    outcome.output.clear();
    std::size_t at = 0;
    while (raw.size() - at >= 8) {
      std::size_t length = 0;
      for (std::size_t i = 4; i < 8; ++i) {
        length = length << 8 | static_cast<unsigned char>(raw[at + i]);
      }
      (raw[at] == 2 ? outcome.error : outcome.output) += raw.substr(at + 8, length);
      at += 8 + std::min(length, raw.size() - at - 8);
    }
  }

  Process::Streams& streams_;
  const Conversation& conversation_;
  Clock::time_point start_;
  std::string out_, err_;
  std::size_t sent_ = 0;
  bool out_open_ = true, err_open_ = false, input_open_ = true;
  double first_byte_ms_ = -1;
};

Task<int> wait_into(Process& process, ExitResult& exit) {
  exit = co_await process.wait();
  co_return 0;
}

}  // namespace

void run(boost::asio::io_context& io, Task<void> task) {
  bool done = false;
  std::exception_ptr thrown;
  boost::asio::co_spawn(io, std::move(task), [&](std::exception_ptr error) {
    thrown = error;
    done = true;
  });
  io.restart();
  while (!done && io.run_one() != 0) {
  }
  if (thrown) std::rethrow_exception(thrown);
}

Outcome converse(boost::asio::io_context& io, Process& process, Process::Streams& streams,
                 const Conversation& conversation) {
  Talk talk(streams, conversation);
  while (!talk.done() && !talk.late()) {
    talk.step();
    io.restart();
    io.poll();
  }
  Outcome outcome = talk.outcome();
  outcome.timed_out = talk.late() && !talk.done();
  if (conversation.until.empty() && !outcome.timed_out) {
    run(io, wait_into(process, outcome.exit));
  }
  return outcome;
}

Outcome converse(boost::asio::io_context& io, Process& process, const Conversation& conversation) {
  Process::Streams streams = process.take_streams();
  return converse(io, process, streams, conversation);
}

ProcessSpec exec_spec(std::string command) {
  ProcessSpec spec;
  spec.kind = ProcessKind::kExec;
  spec.command = std::move(command);
  return spec;
}

ProcessSpec shell_spec() {
  ProcessSpec spec;
  spec.terminal = Terminal{};
  return spec;
}

}  // namespace sandtrap::sandbox::testing
