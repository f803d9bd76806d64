// Writes labels beside the loop: each is two fsyncs, and a busy disk takes tens of milliseconds for
// one, in which a claim would already have its program. One at a time, in order.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <string>

#include "base/error.h"
#include "sandbox/engine.h"

namespace sandtrap::sandbox {

class LabelWriter {
 public:
  // As write_label(). The arguments are the writer's own; this outlives what waits for it.
  Task<base::Status> write(std::string directory, std::string name, Label label);

 private:
  boost::asio::thread_pool disk_{1};
};

}  // namespace sandtrap::sandbox
