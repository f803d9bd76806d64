#include "gate/role_link.h"

#include <boost/asio/co_spawn.hpp>

#include "net/task.h"

namespace sandtrap::gate {

RoleLink::RoleLink(boost::asio::any_io_executor executor, std::string role, base::Log& log)
    : executor_(std::move(executor)), role_(std::move(role)), log_(log) {}

void RoleLink::connect(base::Fd socket) {
  close();
  channel_ = std::make_shared<net::Channel>(executor_, std::move(socket));
}

boost::asio::awaitable<base::Result<net::Packet>> RoleLink::receive() {
  const std::shared_ptr<net::Channel> channel = channel_;
  if (!channel) co_return base::fail(base::Errc::kClosed, role_ + " is not connected");
  co_return co_await channel->receive();
}

void RoleLink::start_reading(const Handlers& handlers) {
  handlers_ = handlers;
  // The coroutine ends by itself when its channel does; an exception there is out-of-memory.
  boost::asio::co_spawn(executor_, read(*this, channel_), [this](const std::exception_ptr& error) {
    if (error) log_.error("{} link: unexpected exception", role_);
  });
}

boost::asio::awaitable<void> RoleLink::read(RoleLink& link, std::shared_ptr<net::Channel> channel) {
  for (;;) {
    auto packet = co_await channel->receive();
    if (!packet) {
      link.ended(channel, packet.error());
      co_return;
    }
    if (channel != link.channel_) co_return;  // replaced meanwhile
    link.handlers_.message(std::move(*packet));
  }
}

void RoleLink::ended(const std::shared_ptr<net::Channel>& channel, const base::Error& error) {
  if (channel != channel_) return;
  log_.warn("{} is gone: {}", role_, error.context);
  close();
  handlers_.lost();
}

bool RoleLink::send(const ipc::Message& message) {
  if (!up()) return false;
  const base::Status sent = channel_->post(message);
  if (sent) return true;
  log_.warn("{} takes no message: {}", role_, sent.error().context);
  channel_->close();  // its reader reports the loss
  return false;
}

void RoleLink::close() {
  if (channel_) channel_->close();
  channel_.reset();
  greeted_ = false;
}

}  // namespace sandtrap::gate
