// Serves the gates: one link per gate process, one SessionPermits per session. A request that is
// not permitted means that the gate is not itself any more: its link is closed, which ends it, and
// with it its sessions. Lives on the warden's loop; most answers are given in the same turn.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/log.h"
#include "event/event_log.h"
#include "net/channel.h"
#include "warden/accounts.h"
#include "warden/case_keys.h"
#include "warden/host_keys.h"
#include "warden/login_policy.h"
#include "warden/pool.h"
#include "warden/processes.h"
#include "warden/session_table.h"
#include "warden/tasks.h"

namespace sandtrap::warden {

class IpcServer final : private ProcessAnswers {
 public:
  struct Parts {  // all outlive the server
    const HostKeys& keys;
    LoginPolicy& policy;
    cases::Table& cases;
    SandboxPool& pool;
    Accounts& accounts;
    event::EventLog& events;
    base::Log& log;
  };
  struct Limits {
    std::uint32_t max_auth_tries = 6;  // refused logins per session that still count as failures
    std::uint32_t max_channels = 10;
    std::size_t max_sessions = 16384;  // of all gates
    std::chrono::milliseconds exec_timeout{15000};
    std::uint32_t ipv6_prefix = 64;
    std::chrono::milliseconds resume_window{30000};  // of a new link: SessionResumed is believed
  };

  IpcServer(net::asio::any_io_executor executor, Parts parts, Limits limits);
  ~IpcServer() override;

  // Welcomes a gate and serves it until its link ends.
  void add_gate(base::Fd socket);
  void configure(Limits limits) { limits_ = limits; }
  // Joins the resumed sessions with the sandboxes that the pool has adopted since.
  void resume_sandboxes();
  void end_sessions(const std::string& reason);
  void close_gates();

  std::size_t gates() const { return gates_.size(); }
  std::size_t sessions() const { return sessions_.size(); }
  std::size_t programs() const { return processes_.running(); }
  // Called after the last session has gone.
  void on_idle(std::function<void()> callback) { on_idle_ = std::move(callback); }
  // Called with the key of a record of the login policy that has changed.
  void on_remembered(std::function<void(const std::string&)> callback) {
    on_remembered_ = std::move(callback);
  }
  // Called when a gate has lost its link for what it sent.
  void on_denied(std::function<void()> callback) { on_denied_ = std::move(callback); }

 private:
  struct Gate {
    Gate(std::uint64_t n, net::asio::any_io_executor executor, base::Fd socket)
        : number(n), channel(std::move(executor), std::move(socket)) {}
    std::uint64_t number;
    net::Channel channel;
    base::Instant since = base::monotonic_now();
  };
  using GateRef = std::shared_ptr<Gate>;  // shared with the coroutine that reads it

  net::Task<void> serve(GateRef gate);
  void gate_gone(Gate& gate);
  base::Status dispatch(Gate& gate, ipc::Message& message);
  base::Status refuse_over_limit(Gate& gate, const ipc::Message& message);
  void denied(Gate& gate, std::string_view request, const base::Error& error);
  void send(std::uint64_t gate, const ipc::Message& message, std::vector<base::Fd> fds = {});

  base::Status add_session(Gate& gate, Session session, const ipc::Message& message);
  base::Status on(Gate& gate, const ipc::SessionOpened& m);
  base::Status on(Gate& gate, const ipc::SessionResumed& m);
  base::Status on(Session& session, const ipc::Sign& m);
  base::Status on(Session& session, const ipc::Prove& m);
  base::Status on(Session& session, const ipc::Authenticate& m);
  base::Status on(Session& session, const ipc::OpenProcess& m);
  base::Status on(Session& session, const ipc::ResizeProcess& m);
  base::Status on(Session& session, const ipc::SignalProcess& m);
  base::Status on(Session& session, const ipc::CloseProcess& m);
  base::Status on(Session& session, const ipc::RecordingNamed& m);
  base::Status on(Session& session, const ipc::SessionClosed& m);
  void end_session(const ipc::SessionId& id);
  void emit(const Session& session, const event::Body& body);

  // ipc_login.cc
  net::Task<void> ask_account(ipc::SessionId id, ipc::Authenticate login);
  void ask_policy(Session& session, const ipc::Authenticate& login);
  net::Task<void> accept(ipc::SessionId id, ipc::Authenticate login, LoginDecision decision);
  void decided(Session& session, const ipc::Authenticate& login, LoginDecision decision);
  void logged_in(Session& session, const ipc::Authenticate& login, bool earned);

  void watcher_lost(const ipc::SessionId& session) override;
  void answer(const ipc::SessionId& session, std::uint32_t channel, const ipc::Message& message,
              std::vector<base::Fd> descriptors, bool ended) override;

  net::asio::any_io_executor executor_;
  Parts parts_;
  Limits limits_;
  Tasks tasks_;
  Processes processes_;
  SessionTable sessions_;
  std::map<std::uint64_t, GateRef> gates_;
  std::uint64_t next_gate_ = 1;
  std::function<void()> on_idle_, on_denied_;
  std::function<void(const std::string&)> on_remembered_;
};

}  // namespace sandtrap::warden
