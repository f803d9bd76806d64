#include "net/channel.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <deque>

#include "net/task.h"

namespace sandtrap::net {
namespace {

using base::Errc;
using base::Fd;

constexpr int kSocketBuffer = 1 << 20;
// Descriptors that wait in the queue are open here: a peer that asks and does not read must not use
// them all up.
constexpr std::size_t kMaxQueuedDescriptors = 1024;
constexpr std::size_t kPostedAtOnce = 32 * 1024;
constexpr unsigned kInARow = 64;  // messages read before others have their turn

struct Outgoing {
  base::Bytes bytes;
  std::vector<Fd> descriptors;
};

// 0: sent; otherwise errno.
int send_packet(int socket, const Outgoing& packet) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * ipc::kMaxDescriptors)] = {};
  iovec iov{const_cast<std::uint8_t*>(packet.bytes.data()), packet.bytes.size()};
  msghdr header{};
  header.msg_iov = &iov;
  header.msg_iovlen = 1;
  if (!packet.descriptors.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(sizeof(int) * packet.descriptors.size());
    cmsghdr* cmsg = CMSG_FIRSTHDR(&header);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(int) * packet.descriptors.size());
    for (std::size_t i = 0; i < packet.descriptors.size(); ++i) {
      const int fd = packet.descriptors[i].get();
      std::memcpy(CMSG_DATA(cmsg) + i * sizeof fd, &fd, sizeof fd);
    }
  }
  for (;;) {
    if (::sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return 0;
    if (errno != EINTR) return errno;
  }
}

std::vector<Fd> take_descriptors(msghdr& header) {
  std::vector<Fd> descriptors;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      descriptors.emplace_back(fd);
    }
  }
  return descriptors;
}

}  // namespace

base::Result<std::pair<Fd, Fd>> channel_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    return base::fail_errno("socketpair", errno);
  }
  std::pair<Fd, Fd> pair{Fd(ends[0]), Fd(ends[1])};
  for (const int end : ends) {
    // Best effort, beyond wmem_max as root: the default still holds one largest message.
    if (::setsockopt(end, SOL_SOCKET, SO_SNDBUFFORCE, &kSocketBuffer, sizeof kSocketBuffer) != 0) {
      ::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &kSocketBuffer, sizeof kSocketBuffer);
    }
  }
  return pair;
}

struct Channel::Impl : std::enable_shared_from_this<Channel::Impl> {
  Impl(asio::any_io_executor executor, Fd fd) : socket(executor), buffer(ipc::kMaxPacket) {
    boost::system::error_code error;
    socket.assign(fd.release(), error);
    if (!error) socket.non_blocking(true, error);
    if (error) close();
  }

  void close() {
    boost::system::error_code ignored;
    socket.close(ignored);
    queue.clear();
    posted.clear();
    queued_bytes = queued_descriptors = 0;
  }

  base::Status enqueue(Outgoing packet) {
    if (queued_bytes + packet.bytes.size() > kMaxQueued ||
        queued_descriptors + packet.descriptors.size() > kMaxQueuedDescriptors) {
      return base::fail(Errc::kLimit, "role does not read its messages");
    }
    queued_bytes += packet.bytes.size();
    queued_descriptors += packet.descriptors.size();
    queue.push_back(std::move(packet));
    if (queue.size() == 1) wait_writable();
    return {};
  }

  base::Status transmit(Outgoing packet) {
    if (!queue.empty()) return enqueue(std::move(packet));
    const int error = send_packet(socket.native_handle(), packet);
    if (error == 0) return {};
    if (error == EAGAIN || error == ENOBUFS) return enqueue(std::move(packet));
    return base::fail(Errc::kUnavailable, "role is gone");
  }

  base::Status flush_posted() {
    if (posted.empty()) return {};
    Outgoing packet{std::move(posted), {}};
    posted.clear();
    return transmit(std::move(packet));
  }

  void schedule_flush() {
    if (flush_scheduled) return;
    flush_scheduled = true;
    asio::post(socket.get_executor(), [self = shared_from_this()] {
      self->flush_scheduled = false;
      if (!self->flush_posted()) self->close();
    });
  }

  void wait_writable() {
    socket.async_wait(asio::posix::stream_descriptor::wait_write,
                      [self = shared_from_this()](boost::system::error_code error) {
                        if (!error) self->write_queue();
                      });
  }

  void write_queue() {
    while (!queue.empty()) {
      const int error = send_packet(socket.native_handle(), queue.front());
      if (error == EAGAIN || error == ENOBUFS) return wait_writable();
      if (error != 0) return close();
      queued_bytes -= queue.front().bytes.size();
      queued_descriptors -= queue.front().descriptors.size();
      queue.pop_front();
    }
  }

  // One packet if there is one: kTimeout stands for "would block".
  base::Result<Packet> try_receive() {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * ipc::kMaxDescriptors)];
    iovec iov{buffer.data(), buffer.size()};
    msghdr header{};
    header.msg_iov = &iov;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    const ssize_t n = ::recvmsg(socket.native_handle(), &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return base::fail(Errc::kTimeout, "");
    if (n < 0 && errno == ECONNRESET) return base::fail(Errc::kClosed, "role ended");
    if (n < 0) return base::fail_errno("recvmsg", errno);
    std::vector<Fd> descriptors = take_descriptors(header);
    if (n == 0) return base::fail(Errc::kClosed, "role ended");
    if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
      return base::fail(Errc::kInvalid, "oversized ipc packet");
    }
    unread = base::ByteView(buffer).first(static_cast<std::size_t>(n));
    auto message = ipc::take_message(unread);
    if (!message) return tl::unexpected(message.error());
    if (!descriptors.empty() && !unread.empty()) {
      return base::fail(Errc::kInvalid, "descriptors beside several ipc messages");
    }
    return Packet{std::move(*message), std::move(descriptors)};
  }

  // What the last packet still holds, else the next one.
  base::Result<Packet> next() {
    if (unread.empty()) return try_receive();
    auto message = ipc::take_message(unread);
    if (!message) return tl::unexpected(message.error());
    return Packet{std::move(*message), {}};
  }

  asio::posix::stream_descriptor socket;
  base::Bytes buffer;
  base::ByteView unread;  // of `buffer`
  base::Bytes posted;     // messages that leave at the end of this turn
  bool flush_scheduled = false;
  unsigned in_a_row = 0;  // messages that were there without a wait
  std::deque<Outgoing> queue;
  std::size_t queued_bytes = 0, queued_descriptors = 0;
};

Channel::Channel(asio::any_io_executor executor, Fd socket)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(socket))) {}

Channel::~Channel() {
  close();
}

void Channel::close() {
  if (open()) (void)impl_->flush_posted();  // the last words, if the other side takes them
  impl_->close();
}

bool Channel::open() const {
  return impl_->socket.is_open();
}

base::Status Channel::send(const ipc::Message& message, std::vector<Fd> descriptors) {
  if (!open()) return base::fail(Errc::kUnavailable, "role is gone");
  Outgoing packet{{}, std::move(descriptors)};
  ipc::append_message(packet.bytes, message);
  if (packet.bytes.size() > ipc::kMaxPacket)
    return base::fail(Errc::kLimit, "ipc message too long");
  if (auto earlier = impl_->flush_posted(); !earlier) return earlier;
  return impl_->transmit(std::move(packet));
}

base::Status Channel::post(const ipc::Message& message) {
  if (!open()) return base::fail(Errc::kUnavailable, "role is gone");
  base::Bytes& posted = impl_->posted;
  const std::size_t before = posted.size();
  ipc::append_message(posted, message);
  const std::size_t size = posted.size() - before;
  // A peer that is slow is told at once that it is too slow.
  if (impl_->queue.empty() && posted.size() <= kPostedAtOnce) {
    impl_->schedule_flush();
    return {};
  }
  Outgoing packet{base::Bytes(posted.begin() + static_cast<std::ptrdiff_t>(before), posted.end()),
                  {}};
  posted.resize(before);
  if (size > ipc::kMaxPacket) return base::fail(Errc::kLimit, "ipc message too long");
  if (auto earlier = impl_->flush_posted(); !earlier) return earlier;
  return impl_->transmit(std::move(packet));
}

asio::awaitable<base::Result<Packet>> Channel::receive() {
  const std::shared_ptr<Impl> impl = impl_;  // close() may happen while we wait
  // A peer that never pauses must not keep the loop from everybody else.
  if (impl->in_a_row >= kInARow) {
    impl->in_a_row = 0;
    co_await asio::post(impl->socket.get_executor(), asio::use_awaitable);
  }
  for (;;) {
    if (!impl->socket.is_open()) co_return base::fail(Errc::kClosed, "channel closed");
    auto packet = impl->next();
    if (packet) ++impl->in_a_row;
    if (packet || packet.error().code != Errc::kTimeout) co_return packet;
    impl->in_a_row = 0;
    auto [error] =
        co_await impl->socket.async_wait(asio::posix::stream_descriptor::wait_read, use_ec);
    if (error) co_return base::fail(Errc::kClosed, "channel closed");
  }
}

}  // namespace sandtrap::net
