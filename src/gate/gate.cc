#include "gate/gate.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <csignal>
#include <exception>

#include "gate/gate_process.h"

namespace sandtrap::gate {

int run(const config::Settings& settings, base::Fd control, base::Log& log) {
  // A program that closed its stdin must not end us; Ctrl-C on the terminal is the supervisor's.
  for (const int number : {SIGPIPE, SIGINT, SIGHUP}) std::signal(number, SIG_IGN);
  boost::asio::io_context loop(1);
  GateProcess process(loop, settings, std::move(control), log);
  int exit_code = 1;
  boost::asio::co_spawn(loop, process.run(), [&](const std::exception_ptr& error, int code) {
    if (error) log.error("unexpected exception");
    exit_code = error ? 1 : code;
    loop.stop();
  });
  loop.run();
  return exit_code;
}

}  // namespace sandtrap::gate
