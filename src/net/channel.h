// One end of a role-to-role connection: SOCK_SEQPACKET, descriptors beside a message. Asio;
// single-threaded; the owner keeps it alive while receive() runs.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "ipc/messages.h"

namespace sandtrap::net {

struct Packet {
  ipc::Message message;
  std::vector<base::Fd> descriptors;
};

// A connected pair of sockets with buffers large enough for kMaxPacket.
base::Result<std::pair<base::Fd, base::Fd>> channel_pair();

class Channel {
 public:
  Channel(boost::asio::any_io_executor executor, base::Fd socket);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Sends at once if the socket takes it, else queues in order (descriptors are duplicated into
  // the kernel or held). kLimit when more than `kMaxQueued` bytes wait; kUnavailable when closed.
  base::Status send(const ipc::Message& message, std::vector<base::Fd> descriptors = {});
  // The same with the other messages of this turn of the loop, in one packet at its end: one system
  // call and one wake-up for all of them. What goes wrong then closes the channel.
  base::Status post(const ipc::Message& message);
  // kClosed at the peer's end; kInvalid for a packet that does not decode (peer is compromised).
  boost::asio::awaitable<base::Result<Packet>> receive();
  void close();
  bool open() const;

  static constexpr std::size_t kMaxQueued = 16U << 20;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with the write in flight
};

}  // namespace sandtrap::net
