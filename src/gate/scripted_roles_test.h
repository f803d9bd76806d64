// The gate's surroundings for its tests: a supervisor, a warden and a scribe by script, and the
// real gate::run() in a child process, confined. The warden runs commands directly, unisolated, as
// this test's own user; only on loopback. The system's ssh is the client.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "config/settings.h"
#include "ipc/messages.h"
#include "net/channel.h"

namespace sandtrap::gate::testing {

std::string read_file(const std::string& path);

std::string read_file(const std::string& path);

// Keeps a host key and knows one password.
class ScriptedWarden {
 public:
  explicit ScriptedWarden(boost::asio::io_context& loop);
  ~ScriptedWarden();

  void connect(base::Fd socket);  // greets; replaces an earlier link, as a new process would
  void disconnect();

  std::string password = "letmein";
  bool refuse_programs = false, silent = false;
  std::map<std::string, int> seen;  // by message name
  std::vector<ipc::SessionResumed> resumed;
  std::vector<ipc::ResizeProcess> resizes;
  std::vector<ipc::Authenticate> logins;

 private:
  using Key = std::pair<std::string, std::uint32_t>;
  struct Child;

  void on(const ipc::Message& message);
  void sign(const ipc::Sign& request);
  void open(const ipc::OpenProcess& request);
  void watch(const Key& key, pid_t pid);
  void read(const std::shared_ptr<net::Channel>& channel);
  static boost::asio::awaitable<void> read_loop(ScriptedWarden& self,
                                                std::shared_ptr<net::Channel> channel);

  boost::asio::io_context& loop_;
  std::shared_ptr<void> key_;
  base::Bytes public_blob_;
  std::shared_ptr<net::Channel> channel_;
  std::map<Key, std::shared_ptr<Child>> children_;
};

// Keeps events and recordings in a folder.
class ScriptedScribe {
 public:
  ScriptedScribe(boost::asio::io_context& loop, std::string folder);

  void connect(base::Fd socket);
  void disconnect();
  std::string events() const;  // what events.jsonl holds
  std::string file(const std::string& path) const;

  bool disk_full = false, silent = false;
  std::vector<std::string> opened, finished, grew;

 private:
  void on(const ipc::Message& message);
  static boost::asio::awaitable<void> read_loop(ScriptedScribe& self,
                                                std::shared_ptr<net::Channel> channel);

  boost::asio::io_context& loop_;
  std::string folder_;
  std::shared_ptr<net::Channel> channel_;
};

struct ClientResult {
  int status = -1;  // exit status of ssh; 255 is its own failure
  std::string out, err;
};

class Rig {
 public:
  explicit Rig(const std::function<void(config::Settings&)>& adjust = {});
  ~Rig();
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  // Turns the loop until `done`, or fails the test after `limit`.
  bool until(const std::function<bool()>& done,
             std::chrono::seconds limit = std::chrono::seconds(20));
  // Runs ssh with `arguments` behind the destination, `input` on its stdin.
  ClientResult ssh(std::vector<std::string> arguments, const std::string& input = "",
                   const std::string& password = "letmein");
  pid_t start_ssh(const std::vector<std::string>& arguments, base::Fd input, base::Fd output,
                  base::Fd error, const std::string& password);
  base::Fd connect();  // a plain TCP connection to the gate, blocking
  bool exited(pid_t pid, int& status);

  void new_warden_link();
  void new_scribe_link();
  void drain(std::uint32_t grace);
  void drop_control() { control_->close(); }
  bool has_event(const std::string& text) const;
  std::size_t count_events(const std::string& name) const;
  std::size_t resident_kib() const;  // of the gate
  std::size_t sidecar_size() const;  // of the latest recording

  boost::asio::io_context loop;
  std::string folder;
  std::uint16_t port = 0;
  ScriptedWarden warden;
  ScriptedScribe scribe;
  pid_t gate = -1;
  bool ready = false, drained = false;

 private:
  static boost::asio::awaitable<void> follow(Rig& self, std::shared_ptr<net::Channel> control);
  void hand_over(const char* role, base::Fd socket);
  std::string askpass(const std::string& password);

  base::Fd listening_;
  std::shared_ptr<net::Channel> control_;
  int passwords_ = 0;
};

}  // namespace sandtrap::gate::testing
