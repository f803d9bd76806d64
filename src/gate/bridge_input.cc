// The client's bytes on their way to the program's stdin.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "gate/bridge.h"

namespace sandtrap::gate {

int Bridge::input_fd() {
  std::optional<Descriptor>& descriptor = duplex_ ? sources_[0].descriptor : input_;
  return descriptor && descriptor->is_open() ? descriptor->native_handle() : -1;
}

void Bridge::input(base::ByteView data) {
  totals_.in += data.size();
  if (closed_ || broken_ || !input_open_) return port_.consumed(options_.channel, data.size());
  if (options_.record_input && !record(record::Stream::kInput, data)) return;
  std::size_t written = 0;
  if (backlog_.empty()) {
    written = write_input(data);
    if (!input_open_) return port_.consumed(options_.channel, data.size());
  }
  const base::ByteView rest = data.subspan(written);
  if (!rest.empty()) {
    // The client's window bounds this one; the port bounds all of them together.
    if (!port_.hold_input(static_cast<std::int64_t>(rest.size()))) return;
    base::append(backlog_, rest);
    wait_writable();
  }
  // Last: the view may die with it.
  if (written > 0) port_.consumed(options_.channel, written);
}

// How much the program took; closes the input when it takes no more.
std::size_t Bridge::write_input(base::ByteView data) {
  std::size_t done = 0;
  while (done < data.size()) {
    const ssize_t n = ::write(input_fd(), data.data() + done, data.size() - done);
    if (n >= 0) {
      done += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      stop_input();
      break;
    }
  }
  return done;
}

void Bridge::wait_writable() {
  if (writing_ || closed_) return;
  writing_ = true;
  std::optional<Descriptor>& descriptor = duplex_ ? sources_[0].descriptor : input_;
  descriptor->async_wait(Descriptor::wait_write,
                         [weak = weak_from_this()](boost::system::error_code error) {
                           const std::shared_ptr<Bridge> self = weak.lock();
                           if (!self) return;
                           self->writing_ = false;
                           if (!error) self->on_writable();
                         });
}

void Bridge::on_writable() {
  if (closed_ || !input_open_) return;
  const std::size_t written = write_input(base::ByteView(backlog_).subspan(backlog_done_));
  if (input_open_) {
    backlog_done_ += written;
    port_.hold_input(-static_cast<std::int64_t>(written));
    if (backlog_done_ == backlog_.size()) {
      backlog_ = {};
      backlog_done_ = 0;
      if (input_ending_) end_input();
    } else {
      wait_writable();
    }
    if (written > 0) port_.consumed(options_.channel, written);
  }
  port_.settle();
}

void Bridge::input_ended() {
  input_ending_ = true;
  if (backlog_.empty()) end_input();
}

void Bridge::end_input() {
  // sshd closes its copy of the terminal's descriptor, which the program does not notice.
  if (terminal_ || !input_open_) return;
  input_open_ = false;
  if (duplex_) {
    const int fd = input_fd();
    if (fd >= 0) ::shutdown(fd, SHUT_WR);
    return;
  }
  boost::system::error_code ignored;
  input_->close(ignored);
}

// The program reads no more: what comes is dropped, and the client told.
void Bridge::stop_input() {
  const bool tell = input_open_ && !input_ending_ && !closed_;
  drop_input();
  if (tell) port_.input_closed(options_.channel);
}

// … without a word: sshd finds out by a write that fails, or with the program's end.
void Bridge::drop_input() {
  if (!input_open_) return;
  input_open_ = false;
  const std::size_t waiting = backlog_.size() - backlog_done_;
  drop_backlog();
  if (input_) {
    boost::system::error_code ignored;
    input_->close(ignored);
  }
  if (!closed_ && waiting > 0) port_.consumed(options_.channel, waiting);
}

void Bridge::drop_backlog() {
  port_.hold_input(-static_cast<std::int64_t>(backlog_.size() - backlog_done_));
  backlog_ = {};
  backlog_done_ = 0;
}

}  // namespace sandtrap::gate
