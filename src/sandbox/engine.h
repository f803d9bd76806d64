// The container engine as the warden sees it. Three implementations: OciEngine (drives runc/crun),
// DockerEngine (Engine API over its unix socket), FakeEngine (tests). All calls are coroutines on
// the warden's loop; none blocks it. Engine text never reaches the attacker.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/fd.h"
#include "sandbox/exit_result.h"

namespace sandtrap::sandbox {

template <class T>
using Task = boost::asio::awaitable<T>;

struct Limits {                               // every number is a setting (section `container`)
  std::uint64_t memory_bytes = 256ULL << 20;  // swap included
  double cpus = 0.5;
  std::uint32_t pids = 100;
  std::uint64_t disk_bytes = 1ULL << 30;         // writable layer, where the storage can limit it
  std::uint64_t file_size_bytes = 512ULL << 20;  // RLIMIT_FSIZE
  std::uint32_t open_files = 1024;
  std::vector<std::string> capabilities;  // without CAP_; all others dropped
  bool no_new_privileges = true;
  std::string hostname = "localhost";  // drawn per sandbox by the pool
  // OCI: the folder of the guest's root file system, Docker: a reference; empty: the engine's own.
  std::string image;
};

struct Terminal {
  std::string term = "xterm";
  std::uint32_t columns = 80, rows = 24, width_px = 0, height_px = 0;
  base::Bytes modes;  // RFC 4254 §8 encoding
};

// The checks ask the machine's own accounts (ask_account() in account_check.h).
enum class ProcessKind { kShell, kExec, kSubsystem, kCheckPassword, kCheckKey };
struct ProcessSpec {
  ProcessKind kind = ProcessKind::kShell;
  std::string user = "root";  // validated by the warden: [a-z_][a-z0-9_.-]{0,31}, or refused
  std::string command;        // exec: for the shell's -c; subsystem: its name
  std::optional<Terminal> terminal;
  std::vector<std::pair<std::string, std::string>> env;  // LANG, LC_*, SSH_CLIENT, …
  std::string password_hash;  // crypt(3); the account gets it if it has none of its own yet
  std::string client;         // kCheckKey: the peer's address
};

// A process started in a sandbox. The descriptors go to the gate; the warden keeps only control.
class Process {
 public:
  virtual ~Process() = default;  // hangs up the process if it still runs
  struct Streams {               // terminal: `input` alone is the duplex pty end
    base::Fd input, output, error;
    base::Bytes early_output;  // bytes already read behind the reply headers (docker)
    // Docker without a terminal: `input` alone is a duplex socket (shutdown(2) half-closes it);
    // what is read from it are stdcopy frames.
    bool multiplexed = false;
  };
  virtual Streams take_streams() = 0;  // once
  virtual Task<base::Status> resize(std::uint32_t columns, std::uint32_t rows,
                                    std::uint32_t width_px, std::uint32_t height_px) = 0;
  virtual Task<base::Status> signal(int number) = 0;  // to its process group, as sshd does
  virtual Task<ExitResult> wait() = 0;                // one caller
  virtual Task<void> hang_up() = 0;                   // the channel was closed under it
};

struct Label {                                                       // written on what is preserved
  std::string sandbox, case_id, source_ip, created, claimed, ended;  // ISO 8601
  std::string hostname, image;  // a restored sandbox has them again
  std::vector<std::string> sessions, recordings;
};

struct Preserved {
  std::string reference;
  std::uint64_t bytes = 0;
};  // directory or image name

class Sandbox {
 public:
  virtual ~Sandbox() = default;
  virtual const std::string& id() const = 0;  // 12 hex digits
  virtual Task<base::Result<std::unique_ptr<Process>>> exec(const ProcessSpec& spec) = 0;
  // A real exec of /bin/true with the deadline of the setting; a warm sandbox counts only after it.
  virtual Task<base::Status> verify() = 0;
  virtual Task<base::Status> mark_claimed(
      const Label& label) = 0;  // crash-safe: a restart adopts it
  // Every process stops where it is, with its memory and its open files. A failure leaves it
  // running; freezing the frozen and thawing the running is fine. exec() is for thawed ones only.
  virtual Task<base::Status> freeze() = 0;
  virtual Task<base::Status> thaw() = 0;
  virtual Task<base::Result<std::uint64_t>> memory() = 0;  // bytes it holds now, page cache too
  // Stops everything inside (frozen or not), keeps the writable layer with `label`.
  virtual Task<base::Result<Preserved>> preserve(const Label& label) = 0;
  virtual Task<void> destroy() = 0;  // nothing is kept
};

struct Capabilities {  // probed at start, shown to the operator
  std::string engine, version, runtime;
  bool user_namespace = false, exact_disk_limit = false;
  std::vector<std::string> notes;  // what is not available here and what follows
};

struct Leftover {                    // what an earlier run left behind
  std::unique_ptr<Sandbox> sandbox;  // running or frozen, and claimed: to adopt
  Label label;
  bool frozen = false;
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual Task<base::Result<Capabilities>> prepare() = 0;  // image there? runtime usable?
  virtual Task<base::Result<std::unique_ptr<Sandbox>>> create(std::string id, Limits limits) = 0;
  // A new running sandbox `id` on the disk that Sandbox::preserve() kept as `reference`, with the
  // host name of its label, which comes back with it. It takes the disk: afterwards `reference` is
  // gone. A failure leaves what is preserved as it was. kNotFound: there is no such thing.
  virtual Task<base::Result<Leftover>> restore(std::string reference, std::string id,
                                               Limits limits) = 0;
  // Reaps warm and half-built sandboxes of this instance, preserves dead claimed ones, returns
  // those still there and claimed.
  virtual Task<std::vector<Leftover>> recover() = 0;
  virtual Task<base::Status> remove_preserved(const std::string& reference) = 0;
};

}  // namespace sandtrap::sandbox
