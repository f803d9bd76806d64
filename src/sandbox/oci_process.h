// A channel's process in a sandbox of the embedded engine: descriptors for the gate, control here.
#pragma once

#include <memory>

#include "base/fd.h"
#include "sandbox/child.h"
#include "sandbox/engine.h"

namespace sandtrap::sandbox {

class OciProcess final : public Process {
 public:
  // With a terminal: `streams.input` is its master.
  OciProcess(std::shared_ptr<Child> child, Streams streams, bool terminal);
  ~OciProcess() override;
  OciProcess(const OciProcess&) = delete;
  OciProcess& operator=(const OciProcess&) = delete;

  Streams take_streams() override;
  Task<base::Status> resize(std::uint32_t columns, std::uint32_t rows, std::uint32_t width_px,
                            std::uint32_t height_px) override;
  Task<base::Status> signal(int number) override;
  Task<ExitResult> wait() override;
  Task<void> hang_up() override;

 private:
  void hang_up_now();

  std::shared_ptr<Child> child_;  // shared with the wait in flight, which reaps it
  Streams streams_;
  base::Fd master_;  // our own copy of the terminal's master
};

// The window size of the terminal behind `fd`.
base::Status set_window_size(int fd, std::uint32_t columns, std::uint32_t rows,
                             std::uint32_t width_px, std::uint32_t height_px);

}  // namespace sandtrap::sandbox
