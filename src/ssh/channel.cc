#include "ssh/channel.h"

#include <algorithm>
#include <array>
#include <limits>

#include "ssh/channel_messages.h"
#include "ssh/wire.h"

namespace sandtrap::ssh {

Channel::Channel(const Opening& opening, const Profile& profile, PacketSink& sink, bool sends_eow)
    : profile_(profile),
      sink_(sink),
      id_(opening.id),
      remote_id_(opening.remote_id),
      remote_window_(opening.remote_window),
      remote_max_packet_(opening.remote_max_packet),
      sends_eow_(sends_eow) {}

void Channel::send_message(std::uint8_t type) {
  sink_.send(Writer(type).u32(remote_id_).view());
}

void Channel::peer_data(ByteView data, std::vector<Event>& events) {
  if (phase_ == Phase::kLarval || phase_ == Phase::kStarting) return;  // swallowed unread
  if (input_ != Half::kOpen || eow_received_) {
    // Nobody reads it any more: counted as consumed, or the client's window would run dry.
    const auto counted =
        static_cast<std::uint32_t>(std::min<std::size_t>(data.size(), local_window_));
    local_window_ -= counted;
    local_consumed_ += counted;
    grow_window();
    return;
  }
  // sshd logs and drops these two, and keeps the connection.
  if (data.size() > profile_.max_packet || data.size() > local_window_) return;
  if (data.empty()) return;
  const auto size = static_cast<std::uint32_t>(data.size());
  local_window_ -= size;
  unconsumed_ += size;
  events.emplace_back(ChannelInput{id_, data});
}

bool Channel::peer_adjust(std::uint32_t bytes) {
  if (bytes > std::numeric_limits<std::uint32_t>::max() - remote_window_) return false;
  remote_window_ += bytes;
  return true;
}

void Channel::peer_eof(std::vector<Event>& events) {
  eof_received_ = true;
  if (input_ != Half::kOpen) return;
  if (phase_ == Phase::kLarval) {
    // sshd has no pipe yet that it could close, and later does not: the program reads on forever.
    input_ = Half::kClosed;
    return;
  }
  input_ = unconsumed_ == 0 ? Half::kClosed : Half::kDraining;
  events.emplace_back(ChannelEof{id_});
}

void Channel::peer_close(std::vector<Event>& events) {
  if (close_received_) return;
  close_received_ = true;
  if (phase_ == Phase::kLarval) {
    input_ = output_ = Half::kClosed;
  } else {
    if (input_ == Half::kOpen) input_ = unconsumed_ == 0 ? Half::kClosed : Half::kDraining;
    output_ = Half::kClosed;  // without an EOF: nobody listens
    if (!close_sent_) events.emplace_back(ChannelEof{id_, true});
    flush_exit();
  }
}

void Channel::peer_eow(std::vector<Event>& events) {
  if (phase_ == Phase::kLarval || output_ != Half::kOpen) return;
  eow_received_ = true;
  output_ = Half::kClosed;  // sshd closes its end of the pipe, and sends no EOF
  events.emplace_back(ChannelEof{id_, true});
  flush_exit();
}

void Channel::started(bool reply) {
  phase_ = Phase::kRunning;
  local_window_ = profile_.window;
  local_consumed_ = 0;
  sink_.send(Writer(message::kChannelWindowAdjust).u32(remote_id_).u32(profile_.window).view());
  if (reply) send_message(message::kChannelSuccess);
}

std::size_t Channel::room() const {
  if (phase_ != Phase::kRunning && phase_ != Phase::kExited) return 0;
  // After the client's CLOSE or eow the program may still write what nobody will see.
  if (close_received_ || eow_received_) return profile_.output_block;
  if (output_ != Half::kOpen || remote_max_packet_ == 0) return 0;
  return remote_window_;
}

void Channel::send_output(Stream stream, ByteView data) {
  if (output_ != Half::kOpen) return;
  const std::size_t block = std::min<std::size_t>(profile_.output_block, remote_max_packet_);
  while (!data.empty() && block != 0) {
    const ByteView body = data.first(std::min({data.size(), block, std::size_t{remote_window_}}));
    if (body.empty()) return;
    std::array<std::uint8_t, 13> head;
    std::size_t n = 5;
    head[0] = stream == Stream::kError ? message::kChannelExtendedData : message::kChannelData;
    store_u32(&head[1], remote_id_);
    if (stream == Stream::kError) {
      store_u32(&head[n], 1);  // SSH_EXTENDED_DATA_STDERR
      n += 4;
    }
    store_u32(&head[n], static_cast<std::uint32_t>(body.size()));
    sink_.send(ByteView(head).first(n + 4), body);
    remote_window_ -= static_cast<std::uint32_t>(body.size());
    data = data.subspan(body.size());
  }
}

void Channel::consumed(std::size_t n) {
  const auto taken = static_cast<std::uint32_t>(std::min<std::size_t>(n, unconsumed_));
  unconsumed_ -= taken;
  local_consumed_ += taken;
  grow_window();
  if (input_ == Half::kDraining && unconsumed_ == 0) {
    input_ = Half::kClosed;
  }
}

// The rhythm of OpenSSH: when more than three full packets were used up, or half the window.
void Channel::grow_window() {
  if (close_sent_ || close_received_ || local_consumed_ == 0) return;
  const std::uint32_t used = profile_.window - local_window_;
  if (used <= 3 * profile_.max_packet && local_window_ >= profile_.window / 2) return;
  sink_.send(Writer(message::kChannelWindowAdjust).u32(remote_id_).u32(local_consumed_).view());
  local_window_ += local_consumed_;
  local_consumed_ = 0;
}

void Channel::write_failed() {
  if (input_ == Half::kClosed) return;
  if (sends_eow_ && !close_sent_) {
    sink_.send(Writer(message::kChannelRequest)
                   .u32(remote_id_)
                   .string("eow@openssh.com")
                   .boolean(false)
                   .view());
  }
  input_ = Half::kClosed;
}

void Channel::input_closed() {
  if (phase_ == Phase::kRunning) write_failed();
}

void Channel::output_eof(bool status_first) {
  if (phase_ != Phase::kRunning && phase_ != Phase::kExited) return;
  if (output_ == Half::kOpen && status_first && phase_ == Phase::kRunning) {
    eof_held_ = true;
    return;
  }
  if (status_first) flush_exit();
  close_output();
  flush_exit();
}

void Channel::close_output() {
  eof_held_ = false;
  if (output_ != Half::kOpen) return;
  output_ = Half::kClosed;
  send_message(message::kChannelEof);
}

void Channel::exited(const Exit& exit) {
  if (phase_ != Phase::kRunning) return;
  phase_ = Phase::kExited;
  exit_ = exit;
  if (output_ == Half::kClosed) return flush_exit();
  if (eof_held_) flush_end();
}

// What waited long enough for its other half.
void Channel::flush_end() {
  flush_exit();
  if (!eof_held_) return;
  close_output();
}

void Channel::opened_direct() {
  is_direct = true;
  phase_ = Phase::kRunning;
  local_window_ = profile_.window;
}

void Channel::flush_exit() {
  if (!exit_) return;
  send_exit(*exit_);
  exit_.reset();
  write_failed();  // nobody reads its stdin now: sshd emulates a failed write
}

void Channel::send_exit(const Exit& exit) {
  Writer w(message::kChannelRequest);
  w.u32(remote_id_);
  if (const auto* status = std::get_if<ExitStatus>(&exit)) {
    w.string("exit-status").boolean(false).u32(status->code);
  } else {
    const auto& signal = std::get<ExitSignal>(exit);
    w.string("exit-signal").boolean(false).string(signal.name).boolean(signal.core_dumped);
    w.string("").string("");
  }
  sink_.send(w.view());
}

// sshd sends CLOSE at the end of a round of its loop, behind all answers to what came with it.
void Channel::end_round() {
  if (close_sent_ || input_ != Half::kClosed || output_ != Half::kClosed) return;
  const bool program_over =
      phase_ == Phase::kLarval || is_direct || (phase_ == Phase::kExited && !exit_);
  if (!program_over) return;
  send_message(message::kChannelClose);
  close_sent_ = true;
}

}  // namespace sandtrap::ssh
