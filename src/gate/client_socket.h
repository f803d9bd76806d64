// The attacker's TCP connection: non-blocking reads and writes tried at once, and waits for when
// they would block. Owned by a session.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstddef>
#include <optional>

#include "base/bytes.h"
#include "base/fd.h"
#include "gate/traffic_profile.h"

namespace sandtrap::gate {

struct IoResult {
  enum class Kind { kDone, kWouldBlock, kEnd, kError } kind = Kind::kDone;
  std::size_t bytes = 0;
  int error = 0;
};

class ClientSocket {
 public:
  ClientSocket(boost::asio::any_io_executor executor, base::Fd socket);

  IoResult peek(base::MutableByteView into);
  IoResult read(base::MutableByteView into);
  IoResult write(base::ByteView from);

  template <class Handler>
  void when_readable(Handler&& handler) {
    socket_.async_wait(Wait::wait_read, std::forward<Handler>(handler));
  }
  template <class Handler>
  void when_writable(Handler&& handler) {
    socket_.async_wait(Wait::wait_write, std::forward<Handler>(handler));
  }

  // Bare acknowledgements so far, as the kernel counts segments.
  std::optional<AckCounts> acknowledgements() {
    return bare_acknowledgements(socket_.native_handle());
  }
  // sshd leaves Nagle on until the first program starts, then turns it off and marks the traffic:
  // 0x10 (lowdelay) with a terminal, 0x08 (throughput) without (Debian's IPQoS).
  void set_interactive(bool terminal);
  // Unread bytes make the kernel answer RST instead of FIN, as when sshd exits.
  void close();
  bool open() const { return socket_.is_open(); }

 private:
  using Wait = boost::asio::posix::stream_descriptor;
  boost::asio::posix::stream_descriptor socket_;
};

}  // namespace sandtrap::gate
