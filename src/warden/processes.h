// The attacker's programs, from OpenProcess to ProcessExited: gets the case's sandbox, executes in
// it, hands the descriptors to the gate, waits for the end. One coroutine per program. Lives on the
// warden's loop.
//
// A channel number is free for the next program once its ProcessExited or ProcessRefused was sent,
// or when the gate asks for a new one after CloseProcess: then nobody hears of the old one's end.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/log.h"
#include "ipc/messages.h"
#include "warden/pool.h"
#include "warden/tasks.h"

namespace sandtrap::warden {

class ProcessAnswers {  // implemented by the ipc server
 public:
  virtual ~ProcessAnswers() = default;
  // `ended`: the last word about this channel's program.
  virtual void answer(const ipc::SessionId& session, std::uint32_t channel,
                      const ipc::Message& message, std::vector<base::Fd> descriptors,
                      bool ended) = 0;
  // Who watched a program is gone, as after `pkill sshd`: with sshd its connection ends with it.
  virtual void watcher_lost(const ipc::SessionId& session) = 0;
};

class Processes {
 public:
  // All references outlive this.
  Processes(net::asio::any_io_executor executor, SandboxPool& pool, ProcessAnswers& answers,
            std::chrono::milliseconds exec_timeout, base::Log& log);

  void open(Claimant who, std::uint32_t channel, sandbox::ProcessSpec spec);
  // A program that an earlier warden started: it runs, but its end will never be known here.
  void adopt(const ipc::SessionId& session, std::uint32_t channel);
  void resize(const ipc::ResizeProcess& to);
  void signal(const ipc::SessionId& session, std::uint32_t channel, int number);
  void close(const ipc::SessionId& session, std::uint32_t channel);
  void end_session(const ipc::SessionId& session);

  std::size_t running() const { return tasks_.running(); }

 private:
  struct Size {
    std::uint32_t columns = 0, rows = 0, width_px = 0, height_px = 0;
  };
  struct Run {  // shared between the table and the coroutines: each may end first
    ipc::SessionId session;
    std::uint32_t channel = 0;
    std::shared_ptr<Interest> interest = std::make_shared<Interest>();  // lost: tell nobody
    bool session_ended = false;
    bool closed = false;  // by the gate: it expects no watcher any more
    bool controlling = false;
    bool hang_up = false;
    std::optional<Size> resize;
    std::deque<int> signals;
    SlotRef slot;  // before `process`: it must outlive it
    std::unique_ptr<sandbox::Process> process;
  };
  using RunRef = std::shared_ptr<Run>;
  using Key = std::pair<ipc::SessionId, std::uint32_t>;

  RunRef find(const ipc::SessionId& session, std::uint32_t channel) const;
  bool in_use(const SlotRef& slot) const;  // a program runs in it
  void forget(const RunRef& run);
  net::Task<void> run(RunRef run, Claimant who, sandbox::ProcessSpec spec);
  net::Task<base::Status> start(RunRef run, Claimant who, sandbox::ProcessSpec spec);
  bool announce(const RunRef& run);
  void refuse(const RunRef& run, const base::Error& error);
  void let_go(const RunRef& run);
  void control(const RunRef& run);
  net::Task<void> control_loop(RunRef run);

  net::asio::any_io_executor executor_;
  SandboxPool& pool_;
  ProcessAnswers& answers_;
  std::chrono::milliseconds exec_timeout_;
  base::Log& log_;
  Tasks tasks_;
  std::map<Key, RunRef> runs_;
};

}  // namespace sandtrap::warden
