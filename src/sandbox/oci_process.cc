#include "sandbox/oci_process.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <csignal>

namespace sandtrap::sandbox {

base::Status set_window_size(int fd, std::uint32_t columns, std::uint32_t rows,
                             std::uint32_t width_px, std::uint32_t height_px) {
  // As sshd: whatever the client says, in the 16 bits that the kernel has for it.
  winsize size{};
  size.ws_col = static_cast<unsigned short>(columns);
  size.ws_row = static_cast<unsigned short>(rows);
  size.ws_xpixel = static_cast<unsigned short>(width_px);
  size.ws_ypixel = static_cast<unsigned short>(height_px);
  if (::ioctl(fd, TIOCSWINSZ, &size) != 0) return base::fail_errno("window size", errno);
  return {};
}

OciProcess::OciProcess(std::shared_ptr<Child> child, Streams streams, bool terminal)
    : child_(std::move(child)), streams_(std::move(streams)) {
  if (terminal) master_ = base::Fd(::fcntl(streams_.input.get(), F_DUPFD_CLOEXEC, 3));
}

OciProcess::~OciProcess() {
  hang_up_now();
}

Process::Streams OciProcess::take_streams() {
  return std::move(streams_);
}

Task<base::Status> OciProcess::resize(std::uint32_t columns, std::uint32_t rows,
                                      std::uint32_t width_px, std::uint32_t height_px) {
  if (!master_) co_return base::fail(base::Errc::kInvalid, "no terminal");
  co_return set_window_size(master_.get(), columns, rows, width_px, height_px);
}

Task<base::Status> OciProcess::signal(int number) {
  co_return child_->signal_group(number);
}

Task<ExitResult> OciProcess::wait() {
  co_await child_->wait();
  co_return *child_->result();
}

Task<void> OciProcess::hang_up() {
  hang_up_now();
  co_return;
}

// What closing the last copy of the master makes the kernel do; the gate may still hold one.
// Without a terminal nothing is signalled, as with sshd: a program that was left behind goes on.
void OciProcess::hang_up_now() {
  if (master_ && !child_->result()) {
    pid_t foreground = 0;
    if (::ioctl(master_.get(), TIOCGPGRP, &foreground) == 0 && foreground > 1 &&
        foreground != child_->pid())
      ::kill(-foreground, SIGHUP);
    for (const int number : {SIGHUP, SIGCONT})
      if (!child_->signal_group(number)) break;
  }
  master_.reset();
  streams_ = {};
}

}  // namespace sandtrap::sandbox
