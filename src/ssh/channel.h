// One session channel (RFC 4254 §5, §6) as sshd keeps it: two windows, two half-streams and the
// program between them. Owned by Connection; no I/O, no clock.
//
//   kLarval -> kStarting -> kRunning -> kExited        the program
//   input:  kOpen -> kDraining -> kClosed              client -> program's stdin
//   output: kOpen -> kClosed                           program -> client; closing sends EOF
//
// CLOSE goes out when the program has exited and both half-streams are closed; the channel's
// number is free again when CLOSE has gone both ways.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ssh/profile.h"
#include "ssh/server.h"
#include "ssh/transport.h"

namespace sandtrap::ssh {

class Channel {
 public:
  enum class Phase : std::uint8_t { kLarval, kStarting, kRunning, kExited };
  struct Opening {
    ChannelId id;
    std::uint32_t remote_id, remote_window, remote_max_packet;
  };

  // `sends_eow`: the client is an OpenSSH that knows eow@openssh.com.
  Channel(const Opening& opening, const Profile& profile, PacketSink& sink, bool sends_eow);

  ChannelId id() const { return id_; }
  std::uint32_t remote_id() const { return remote_id_; }
  Phase phase() const { return phase_; }
  bool eof_received() const { return eof_received_; }
  bool close_sent() const { return close_sent_; }
  bool finished() const { return close_sent_ && close_received_; }
  std::uint32_t local_window() const { return local_window_; }

  // What the client did. `data` must stay valid until the event was taken.
  void peer_data(ByteView data, std::vector<Event>& events);
  [[nodiscard]] bool peer_adjust(std::uint32_t bytes);  // false: the window would overflow
  void peer_eof(std::vector<Event>& events);
  void peer_close(std::vector<Event>& events);
  void peer_eow(std::vector<Event>& events);  // it takes no more output (eow@openssh.com)

  // What we decided, and what the program did.
  void starting() { phase_ = Phase::kStarting; }
  void started(bool reply);
  void not_started() { phase_ = Phase::kLarval; }
  std::size_t room() const;                        // what the peer's window allows
  void send_output(Stream stream, ByteView data);  // data.size() <= room()
  void consumed(std::size_t n);
  void input_closed();
  void output_eof(bool status_first = false);  // if the program's end is told before the EOF
  void exited(const Exit& exit);
  bool end_waits() const { return exit_.has_value() || eof_held_; }  // one for the other
  void flush_end();
  void end_round();      // sends CLOSE where all is over
  void opened_direct();  // no session: what runs behind it is our own server

  bool has_pty = false;
  std::optional<std::uint32_t> display;  // X11 forwarding
  std::vector<ChannelId> listeners;      // its numbers, free with the channel's own
  bool is_subsystem = false;
  bool is_direct = false;
  bool want_reply = false;  // of the program request under way
  std::uint32_t env_requests = 0;

 private:
  enum class Half : std::uint8_t { kOpen, kDraining, kClosed };

  void grow_window();
  void write_failed();
  void send_exit(const Exit& exit);
  void flush_exit();
  void close_output();
  void send_message(std::uint8_t type);

  const Profile& profile_;
  PacketSink& sink_;
  ChannelId id_;
  std::uint32_t remote_id_, remote_window_, remote_max_packet_;
  std::uint32_t local_window_ = 0;    // what the client may still send
  std::uint32_t local_consumed_ = 0;  // passed on since the last adjust
  std::uint32_t unconsumed_ = 0;      // handed out and not yet passed on
  std::optional<Exit> exit_;
  Phase phase_ = Phase::kLarval;
  Half input_ = Half::kOpen, output_ = Half::kOpen;
  bool sends_eow_;
  bool eof_held_ = false;  // until the program's end is told
  bool eof_received_ = false, eow_received_ = false;
  bool close_received_ = false, close_sent_ = false;
};

}  // namespace sandtrap::ssh
