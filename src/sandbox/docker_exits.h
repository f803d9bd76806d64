// Who has exited, learnt from one subscription to the engine's events instead of from the streams
// (the gate holds those). Connects again by itself when the engine restarts; then everyone who
// waits is woken to ask for himself, because events may have been missed.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/log.h"
#include "sandbox/docker_api.h"

namespace sandtrap::sandbox {

class DockerExits {
 public:
  struct Slot {
    explicit Slot(const boost::asio::any_io_executor& executor) : changed(executor) {}
    std::optional<int> code;
    boost::asio::steady_timer changed;  // cancelled when there is news
  };

  DockerExits(boost::asio::any_io_executor executor, std::string socket, std::string instance,
              base::Log& log);
  ~DockerExits();
  DockerExits(const DockerExits&) = delete;
  DockerExits& operator=(const DockerExits&) = delete;

  // Subscribes; returns once events flow, or with the reason why not.
  Task<base::Status> start();

  // To be called before the exec is started, so that no exit is missed. The slot lives as long as
  // its holder keeps it.
  std::shared_ptr<Slot> expect(const std::string& exec_id);
  void forget(const std::string& exec_id);
  bool connected() const;

  struct State;

 private:
  boost::asio::any_io_executor executor_;
  std::shared_ptr<State> state_;  // shared with the coroutine that reads the events
  bool running_ = false;
};

struct DockerExit {
  std::string exec_id;
  int code = 0;
};
// One line of /events; empty for anything but an exec_die with a code.
std::optional<DockerExit> docker_exit_of(std::string_view line);

}  // namespace sandtrap::sandbox
