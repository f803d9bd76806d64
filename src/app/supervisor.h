// Starts the role processes, connects them with each other, starts again what dies, and ends them
// in order. It parses nothing but the few control messages of ipc and holds one io_context on one
// thread. A role that outlives it sees the end of its control channel and ends itself.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/backoff.h"
#include "app/roles.h"
#include "base/fd.h"
#include "base/instant.h"
#include "base/log.h"
#include "net/channel.h"
#include "net/task.h"

namespace sandtrap::app {

class Links;

struct SupervisorPlan {
  std::string program = "/proc/self/exe";  // this very program, even if its file was replaced
  std::vector<std::string> arguments = {"sandtrap", "role"};  // the role's name follows
  std::vector<RoleKind> roles;                                // one entry per process
  std::map<RoleKind, base::Fd> locks;                         // inherited by the role's processes
  std::vector<base::Fd> listening;                            // bound; every gate gets copies
  base::Fd lender;          // whose end is the end of `listening`; may be none
  std::string link_folder;  // not empty: roles are started one by one and meet at sockets in here

  std::function<std::string(RoleKind)> settings_text;  // what a role of this kind may know
  // SIGHUP; true: there are new settings, which are not in use yet.
  std::function<bool()> reload;
  // Those that a sandbox must be attacked with before they are; none: containment is as it was.
  std::function<std::optional<std::string>()> to_verify = [] { return std::nullopt; };
  std::vector<std::string> verify_arguments = {"sandtrap", "verify", "--quick", "--config",
                                               "/proc/self/fd/4"};  // kSettingsFd
  // True: settings_text has them from now on; false: they are forgotten.
  std::function<void(bool good)> settle = [](bool) {};
  std::function<void(const std::string& detail)> on_ready;  // once; the warden's words
  std::function<std::chrono::seconds()> drain_grace;

  // Ends that are not reached in time are made with SIGKILL.
  std::chrono::milliseconds gate_extra{3000};  // on top of the grace
  std::chrono::milliseconds warden_bound{30'000}, scribe_bound{15'000};
  std::chrono::milliseconds silent_bound{5000};  // control channel closed, process alive
  unsigned failures_at_start = 5;                // in a row, before everything was ready once
};

class Supervisor {
 public:
  Supervisor(SupervisorPlan plan, base::Log& log);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  int run();  // until everything has ended; the exit code

 private:
  struct Child {
    Child(RoleKind k, std::string l, boost::asio::io_context& io)
        : kind(k), label(std::move(l)), restart(io), silent(io) {}
    RoleKind kind;
    std::string label;  // "gate", or "gate 2" when there are several
    pid_t pid = -1;
    // Shared with the coroutine that reads it, which ends a little later than the process.
    std::shared_ptr<net::Channel> channel;
    base::Instant started;
    base::Instant ended;
    bool ready = false, was_ready = false, reloading = false;
    unsigned failures = 0;
    Backoff backoff;
    boost::asio::steady_timer restart, silent;
  };

  // supervisor.cc
  void start(Child& child);
  base::Status start_process(Child& child);
  base::Status give_sockets(Child& gate);
  void connect_with_others(Child& child);
  void reap();
  void ended(Child& child, int status);
  void start_later(Child& child, base::Duration lived);
  net::Task<void> listen_to(Child& child, std::shared_ptr<net::Channel> channel);
  bool handle(Child& child, const ipc::Message& message);  // false: a role does not say that
  void role_ready(Child& child, const std::string& detail);
  void replace_gates(const Child& accuser);
  void kill(const Child& child);

  // supervisor_stop.cc: signals and the ordered end
  void wait_for_signal();
  void watch_lender();
  void on_signal(int number);
  void reload();
  void verified(int status);
  void settle(bool good);
  void begin_stop(int exit_code);
  void hurry();
  net::Task<void> stop_all();
  net::Task<void> see_verifier_off();
  net::Task<void> stop_kind(RoleKind kind, std::chrono::seconds grace,
                            std::chrono::milliseconds bound);
  bool alive(RoleKind kind) const;

  SupervisorPlan plan_;
  base::Log& log_;
  boost::asio::io_context io_{1};
  boost::asio::signal_set signals_;
  boost::asio::posix::stream_descriptor lender_;
  boost::asio::steady_timer changed_;  // cancelled when a process ended: wakes stop_kind
  std::vector<std::unique_ptr<Child>> children_;
  std::unique_ptr<Links> links_;
  std::string warden_detail_;
  bool announced_ = false;
  bool stopping_ = false;
  unsigned hurries_ = 0;
  pid_t verifier_ = -1;  // of new settings
  RoleKind stopping_kind_ = RoleKind::kGate;
  base::Instant stop_deadline_;
  int exit_code_ = 0;
};

}  // namespace sandtrap::app
