// The commands of an OCI runtime (runc or crun), as coroutines. Each is one short child; its
// messages come from its log file, since its standard streams belong to the sandbox.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "sandbox/child.h"
#include "sandbox/oci_mounts.h"

namespace sandtrap::sandbox {

struct RuntimeOptions {
  std::string program;    // absolute path
  std::string state_dir;  // the runtime's --root
  std::string scratch;    // pid files, sockets, logs of commands under way
  bool hide_unified = false;
  std::chrono::milliseconds limit{30000};
};

struct Streams3 {
  int in = -1, out = -1, err = -1;
};

class OciRuntime {
 public:
  OciRuntime(Children& children, RuntimeOptions options);
  OciRuntime(const OciRuntime&) = delete;
  OciRuntime& operator=(const OciRuntime&) = delete;

  const RuntimeOptions& options() const { return options_; }
  Children& children() { return children_; }

  Task<base::Result<std::string>> version();
  // Creates and starts the container of `bundle`; its first process, with `in` as standard input.
  Task<base::Result<std::shared_ptr<Child>>> start(std::string id, std::string bundle,
                                                   const Preparation& preparation, int in);
  Task<base::Result<std::shared_ptr<Child>>> exec(std::string id, std::string process,
                                                  Streams3 streams);
  // `process`: oci_exec_process(). With a terminal: the second value is the pseudo terminal's
  // master.
  Task<base::Result<std::pair<std::shared_ptr<Child>, base::Fd>>> exec_terminal(
      std::string id, std::string process);
  Task<base::Status> remove(std::string id);  // kills what still runs; no such container is fine
  // Host pid of the first process while it runs; kNotFound when there is no such container.
  Task<base::Result<pid_t>> running(std::string id);
  // All containers and what running() says of each (0: it does not run), by a single command.
  Task<base::Result<std::map<std::string, pid_t>>> list();

 private:
  struct Command;
  Command command(std::initializer_list<std::string_view> words);
  base::Result<Command> exec_command(const std::string& id, const std::string& process,
                                     bool terminal);
  Task<base::Result<std::shared_ptr<Child>>> launch(const Command& command, SpawnRequest request);

  Children& children_;
  RuntimeOptions options_;
  HideUnified hide_unified_;
  base::Fd null_;  // for streams that nobody wants
  std::uint64_t next_ = 0;
};

}  // namespace sandtrap::sandbox
