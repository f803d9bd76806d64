// How roles find each other when they are started one by one (`serve --role`, say in containers
// that share run_dir). Each role's supervisor listens on <folder>/<role>.sock or connects there:
// the gate to warden and scribe, the warden to the scribe. One link stands for two role processes
// that both live: it carries one PeerConnected with the connector's end of a fresh channel, and
// ends with either process; the connector then tries again, for ever. Role code sees no difference.
#pragma once

#include <boost/asio/io_context.hpp>
#include <list>
#include <memory>
#include <string>

#include "app/roles.h"
#include "base/error.h"
#include "base/log.h"
#include "net/channel.h"
#include "net/task.h"

namespace sandtrap::app {

class Links {
 public:
  using ChannelPtr = std::shared_ptr<net::Channel>;  // shared with the coroutine that reads it

  Links(boost::asio::io_context& io, std::string folder, RoleKind own, base::Log& log);
  ~Links();
  Links(const Links&) = delete;
  Links& operator=(const Links&) = delete;

  base::Status listen();
  void started(const ChannelPtr& control);  // of a process of our own role
  void ended(const ChannelPtr& control);

 private:
  struct State;
  static net::Task<void> accept_all(std::shared_ptr<State> state);
  static net::Task<void> serve(std::shared_ptr<State> state, ChannelPtr link);
  static net::Task<void> keep_connected(std::shared_ptr<State> state, ChannelPtr control,
                                        RoleKind target);
  static net::Task<void> connect_once(std::shared_ptr<State> state, ChannelPtr control,
                                      RoleKind target);

  std::shared_ptr<State> state_;  // shared with its coroutines
};

}  // namespace sandtrap::app
