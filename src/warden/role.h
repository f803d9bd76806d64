// The warden's parts, built once and wired together. run() in warden.h owns it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/entropy.h"
#include "event/event_log.h"
#include "net/channel.h"
#include "warden/accounts.h"
#include "warden/bookkeeper.h"
#include "warden/case_keys.h"
#include "warden/commands.h"
#include "warden/control.h"
#include "warden/host_keys.h"
#include "warden/ipc_server.h"
#include "warden/login_policy.h"
#include "warden/pool.h"
#include "warden/preserved.h"
#include "warden/reload.h"
#include "warden/warden.h"

namespace sandtrap::warden {

//   starting --engine prepared, leftovers adopted--> serving --Drain, or the supervisor's end-->
//   draining --sessions gone or grace over, pool empty--> ended
class Role {
 public:
  // `loop`, `engine` and `log` outlive this.
  Role(const config::Settings& settings, net::asio::io_context& loop, sandbox::Engine& engine,
       HostKeys keys, base::Fd control, base::Log& log);
  ~Role();
  Role(const Role&) = delete;
  Role& operator=(const Role&) = delete;

  void start();
  int exit_code() const { return exit_code_; }

 private:
  // role.cc: the life of the role
  net::Task<base::Result<sandbox::Capabilities>> prepare_engine();
  net::Task<void> prepare();
  net::Task<std::vector<Kept>> scan();
  void reconcile(const std::vector<sandbox::Leftover>& leftovers, const std::vector<Kept>& kept);
  void adopt_case(const std::string& id, const std::string& source_ip);
  void remember();
  void serve_gates();
  void ready();
  net::Task<void> end(std::chrono::seconds grace);
  void begin_end(std::chrono::seconds grace);
  void fail(const std::string& what);
  void swallow_signals();
  net::Task<void> see_programs_off();
  void look_after_preserved();

  // role_control.cc: what comes from the supervisor and the scribe
  net::Task<void> listen_to_supervisor();
  bool on_control(net::Packet packet);
  net::Task<void> listen_to_scribe(std::shared_ptr<net::Channel> scribe);
  static IpcServer::Limits server_limits(const config::Settings& settings);
  void reload(std::vector<base::Fd> descriptors);
  void apply(const config::Settings& settings);
  void flush_events();

  config::Settings settings_;
  net::asio::io_context& loop_;
  sandbox::Engine& engine_;
  base::Log& log_;
  base::SystemEntropy entropy_;
  event::EventLog events_;
  HostKeys keys_;
  net::Channel control_;
  LoginPolicy policy_;
  net::asio::thread_pool disk_{1};  // the casebook, and the preserved folder at start
  cases::Table cases_;
  SandboxPool pool_;
  Accounts accounts_;
  PreservedSandboxes preserved_;
  Bookkeeper bookkeeper_;
  Commands commands_;
  ControlSocket operator_;
  IpcServer server_;
  Tasks tasks_;
  net::asio::signal_set signals_;
  net::asio::steady_timer flush_retry_, retention_timer_, grace_timer_;
  std::shared_ptr<net::Channel> scribe_;  // shared with the coroutine that reads it
  std::vector<base::Fd> waiting_gates_;   // came before we were able to serve them
  bool serving_ = false, ending_ = false, events_failed_ = false;
  int exit_code_ = 0;
};

}  // namespace sandtrap::warden
