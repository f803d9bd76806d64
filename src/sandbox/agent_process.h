// A program that the guest's agent started.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <optional>

#include "sandbox/agent_reply.h"
#include "sandbox/engine.h"

namespace sandtrap::sandbox {

class AgentProcess final : public Process {
 public:
  // `control`: our end of the program's own socket.
  AgentProcess(const boost::asio::any_io_executor& executor, base::Fd control, Streams streams,
               bool terminal);
  AgentProcess(const AgentProcess&) = delete;
  AgentProcess& operator=(const AgentProcess&) = delete;
  ~AgentProcess() override;

  // kLimit: the sandbox is full; kUnavailable: nobody answers, or not as the agent does.
  Task<base::Status> begun(std::chrono::milliseconds limit);
  void abandon();  // it has not begun, and shall not

  Streams take_streams() override;
  Task<base::Status> resize(std::uint32_t columns, std::uint32_t rows, std::uint32_t width_px,
                            std::uint32_t height_px) override;
  Task<base::Status> signal(int number) override;
  Task<ExitResult> wait() override;
  Task<void> hang_up() override;

 private:
  Task<std::optional<AgentReply>> next_reply();
  void hang_up_now();

  boost::asio::posix::stream_descriptor control_;
  Streams streams_;
  base::Fd master_;  // our copy, for its size and its end
  std::optional<ExitResult> result_;
};

}  // namespace sandtrap::sandbox
