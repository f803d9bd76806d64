// The gate's one loop: meets the other roles, locks itself in, then lives from their messages and
// the listener's connections. Built by gate::run(); everything it owns is on one io_context.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <vector>

#include "base/entropy.h"
#include "gate/confinement.h"
#include "gate/event_writer.h"
#include "gate/listener.h"
#include "gate/role_link.h"
#include "gate/services.h"
#include "gate/session_table.h"
#include "net/channel.h"

namespace sandtrap::gate {

class GateProcess {
 public:
  GateProcess(boost::asio::io_context& loop, config::Settings settings, base::Fd control,
              base::Log& log);

  // Until drained, or the supervisor is gone. The process's exit code.
  boost::asio::awaitable<int> run();

 private:
  // gate_process.cc: from start to end
  boost::asio::awaitable<base::Status> meet();
  boost::asio::awaitable<base::Status> meet_peers();
  boost::asio::awaitable<base::Status> take_welcome();
  boost::asio::awaitable<base::Status> take_event_log();
  void take_moduli();
  base::Status listen_all();
  base::Status lock_in();
  boost::asio::awaitable<void> follow_control();
  void drain(std::chrono::seconds grace);
  void end_now();

  // gate_messages.cc: what the other roles say
  void connect(const ipc::PeerConnected& peer, std::vector<base::Fd> descriptors);
  void read_warden();
  void read_scribe();
  void from_warden(net::Packet packet);
  void from_scribe(net::Packet packet);
  base::Status welcome(ipc::Welcome message);
  void greet_scribe();
  std::pair<std::string, std::string> reload(std::vector<base::Fd> descriptors);

  boost::asio::io_context& loop_;
  config::Settings settings_;
  base::Log& log_;
  base::SystemEntropy entropy_;
  base::Bytes scratch_;
  std::vector<ssh::Modulus> moduli_;
  std::vector<base::Fd> listening_;  // until the listener has them
  net::Channel control_;
  RoleLink warden_, scribe_;
  EventWriter events_;
  Services services_;
  SessionTable sessions_;
  Listener listener_;
  boost::asio::steady_timer start_deadline_, grace_;
  bool draining_ = false, confined_ = false;
};

}  // namespace sandtrap::gate
