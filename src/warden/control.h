// The operator's way in: <run_dir>/control.sock, SOCK_SEQPACKET, root's alone; gate and scribe can
// neither reach nor open it. One connection is one request and one answer, each a packet of JSON:
//   {"command":"stop"|"freeze"|"thaw"|"drop","case":"<12 hex>"}
//   {"command":"cleanup","older_than":SECONDS,"keep_bytes":N}
//   {"command":"status"}
// The answer is {"ok":true,…} or {"error":"…"}. Lives on the warden's loop.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/task.h"
#include "warden/tasks.h"

namespace sandtrap::warden {

class ControlSocket {
 public:
  static constexpr std::size_t kMaxRequest = 4096, kMaxAnswer = 65536;
  static constexpr std::size_t kMaxClients = 16;
  using Handler = std::function<net::Task<std::string>(std::string request)>;

  // `log` outlives this.
  ControlSocket(net::asio::any_io_executor executor, Handler handler, base::Log& log);

  base::Status listen(const std::string& run_dir);
  void close();

 private:
  net::Task<void> accept_loop();
  net::Task<void> serve(base::Fd client);

  net::asio::any_io_executor executor_;
  Handler handler_;
  base::Log& log_;
  Tasks tasks_;
  net::asio::posix::stream_descriptor listener_;
  std::size_t clients_ = 0;
  std::string path_;
};

std::string control_path(const std::string& run_dir);

}  // namespace sandtrap::warden
