// Child processes on the warden's loop: starting them, waiting for them, reading what a short
// command said. Every wait goes through a process descriptor, and a process is reaped only by the
// Child that stands for it: a number is never mistaken for a later process of the same number.
// What falls to us as child subreaper without a Child (left over by a killed runtime) is swept.
#pragma once

#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "sandbox/engine.h"

namespace boost::asio {
class io_context;
}

namespace sandtrap::sandbox {

// One process. shared_ptr because the wait in flight keeps it alive after its owner let go: that is
// how an abandoned child is reaped.
class Child : public std::enable_shared_from_this<Child> {
 public:
  pid_t pid() const { return pid_; }
  const std::optional<ExitResult>& result() const { return result_; }
  // True when it ended before `limit` (no limit: waits for ever). Any number of callers.
  Task<bool> wait(std::optional<std::chrono::milliseconds> limit = std::nullopt);
  // To the process, or to the process group it leads. kNotFound once it has been reaped.
  base::Status signal(int number);
  base::Status signal_group(int number);

 private:
  friend class Children;
  struct Waiter;
  Child(pid_t pid, base::Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  void finish();

  pid_t pid_;
  base::Fd pidfd_;
  std::optional<ExitResult> result_;
  std::list<Waiter*> waiters_;
};

// What a forked child does before it becomes the program, in the child's own process. Only system
// calls and memory prepared beforehand: the child of a fork may not allocate.
class Preparation {
 public:
  virtual ~Preparation() = default;
  // Null when all went well; else the name of the step that failed, with errno set.
  virtual const char* apply() const noexcept = 0;
};

struct SpawnRequest {
  std::vector<std::string> argv;    // argv[0]: absolute path
  int in = -1, out = -1, err = -1;  // -1: /dev/null
  const Preparation* preparation = nullptr;
  int report = -1;  // where a failed preparation says why
};

struct Finished {
  ExitResult exit;
  std::string output;  // standard output and error, at most kMaxOutput bytes
  bool ok() const { return exit.kind == ExitResult::Kind::kStatus && exit.value == 0; }
};

class Children {
 public:
  static constexpr std::size_t kMaxOutput = 256 * 1024;

  // Makes this process a child subreaper: what a runtime detaches becomes our child.
  explicit Children(boost::asio::io_context& io);
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  // Starts it in a session of its own: the operator's Ctrl-C does not reach it.
  base::Result<std::shared_ptr<Child>> spawn(const SpawnRequest& request);
  // A process that a runtime left to us, or one that survived an earlier warden (its exit status
  // then stays unknown).
  base::Result<std::shared_ptr<Child>> adopt(pid_t pid);
  // Runs to its end; kTimeout kills it. `in`, `out` and `err` of the request are not used.
  Task<base::Result<Finished>> run(SpawnRequest request, std::chrono::milliseconds limit);
  // Reaps zombies that no Child stands for and that an earlier call already saw.
  void sweep();

 private:
  base::Result<std::shared_ptr<Child>> fork_prepared(const SpawnRequest& request);

  boost::asio::io_context& io_;
  std::shared_ptr<std::set<pid_t>> known_;  // shared with the waits in flight
  std::set<pid_t> seen_;
};

}  // namespace sandtrap::sandbox
