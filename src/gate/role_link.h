// The gate's link to one other role, across restarts of that role: the supervisor brings a fresh
// socket, the old one is forgotten. Lives on the gate's loop; the owner outlives the loop's run.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "net/channel.h"

namespace sandtrap::gate {

class RoleLink {
 public:
  struct Handlers {
    std::function<void(net::Packet)> message;
    std::function<void()> lost;
  };

  RoleLink(boost::asio::any_io_executor executor, std::string role, base::Log& log);
  RoleLink(const RoleLink&) = delete;
  RoleLink& operator=(const RoleLink&) = delete;

  // Takes the socket; nothing is read from it before start_reading().
  void connect(base::Fd socket);
  // The next message, for the time before start_reading().
  boost::asio::awaitable<base::Result<net::Packet>> receive();
  void start_reading(const Handlers& handlers);

  bool connected() const { return channel_ && channel_->open(); }
  // The first words of a fresh link are its owner's; until greeted() nobody else gets a word in.
  void greeted() { greeted_ = true; }
  bool up() const { return greeted_ && connected(); }
  // A failure means that the role is gone or stuck; `lost` follows from the loop.
  bool send(const ipc::Message& message);
  void close();

 private:
  static boost::asio::awaitable<void> read(RoleLink& link, std::shared_ptr<net::Channel> channel);
  void ended(const std::shared_ptr<net::Channel>& channel, const base::Error& error);

  boost::asio::any_io_executor executor_;
  std::string role_;
  base::Log& log_;
  std::shared_ptr<net::Channel> channel_;  // shared with the coroutine that reads it
  Handlers handlers_;
  bool greeted_ = false;
};

}  // namespace sandtrap::gate
