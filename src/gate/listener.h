// Takes connections from the listening sockets that the supervisor opened. Accepts in batches,
// refuses as sshd does, pauses for named reasons and when descriptors run out; never spins. Lives
// on the gate's loop; the owner outlives its callbacks.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/log.h"

namespace sandtrap::gate {

struct Endpoint {
  std::string ip;
  std::uint16_t port = 0;
};
struct Connection {
  base::Fd socket;
  Endpoint remote, local;
  base::Bytes syn = {};  // headers of its first segment, where the kernel kept them
};

class Listener {
 public:
  enum Pause : unsigned {
    kWardenGone = 1,   // clients wait in the kernel's queue until the new one is there
    kEventsStuck = 2,  // what cannot be logged is not let in
    kDraining = 4,
    kDescriptors = 8,  // own use: EMFILE and its like
  };

  Listener(boost::asio::any_io_executor executor, base::Log& log,
           std::function<void(Connection)> on_connection);

  void listen_on(std::vector<base::Fd> sockets);  // besides those it has
  void close();
  void pause(Pause why);
  void resume(Pause why);

 private:
  static constexpr int kBatch = 64;  // per turn, so that sessions get theirs
  struct Socket;

  void wait(const std::shared_ptr<Socket>& socket);
  void accept_some(const std::shared_ptr<Socket>& socket);
  void out_of_descriptors(int error);

  boost::asio::any_io_executor executor_;
  base::Log& log_;
  std::function<void(Connection)> on_connection_;
  std::vector<std::shared_ptr<Socket>> sockets_;  // shared with the wait in flight
  boost::asio::steady_timer retry_;
  unsigned paused_ = 0;
};

}  // namespace sandtrap::gate
