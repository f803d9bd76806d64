// For the tests of the engines: runs a coroutine to its end, and plays the gate's part at a
// process's descriptors. Included by *_test.cc only.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "sandbox/engine.h"

namespace sandtrap::sandbox::testing {

template <class T>
T run(boost::asio::io_context& io, Task<T> task) {
  std::optional<T> result;
  std::exception_ptr thrown;
  boost::asio::co_spawn(io, std::move(task), [&](std::exception_ptr error, T value) {
    thrown = error;
    result.emplace(std::move(value));
  });
  io.restart();
  while (!result && io.run_one() != 0) {
  }
  if (thrown) std::rethrow_exception(thrown);
  return std::move(*result);
}
void run(boost::asio::io_context& io, Task<void> task);

struct Outcome {
  std::string output, error;
  ExitResult exit;
  bool timed_out = false;
  double first_byte_ms = -1, total_ms = 0;
};

struct Conversation {
  std::string input;        // written as the process takes it
  bool close_input = true;  // half-close when all is written (not with a terminal)
  std::string until;        // stop reading when the output contains this; empty: at the end
  std::chrono::seconds limit{20};
};

// Talks to the process until its output ends (or `until` is seen), then waits for its exit unless
// it stopped at `until`. Decodes stdcopy frames when the streams are multiplexed.
Outcome converse(boost::asio::io_context& io, Process& process, Process::Streams& streams,
                 const Conversation& conversation);
Outcome converse(boost::asio::io_context& io, Process& process, const Conversation& conversation);

ProcessSpec exec_spec(std::string command);
ProcessSpec shell_spec();  // with a terminal of 80x24

}  // namespace sandtrap::sandbox::testing
