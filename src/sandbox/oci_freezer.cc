#include "sandbox/oci_freezer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <fstream>
#include <iterator>

#include "base/fd.h"
#include "net/task.h"

namespace sandtrap::sandbox {
namespace {

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

base::Status write_text(const std::string& path, std::string_view text) {
  const base::Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return base::fail_errno("open " + path, errno);
  if (::write(file.get(), text.data(), text.size()) < 0)
    return base::fail_errno("write " + path, errno);
  return {};
}

}  // namespace

OciFreezer::OciFreezer(CgroupLayout layout, const std::string& path)
    : v2_(layout == CgroupLayout::kV2) {
  const std::string root = "/sys/fs/cgroup";
  if (v2_) {
    control_ = root + path + "/cgroup.freeze";
    state_ = root + path + "/cgroup.events";
    memory_ = root + path + "/memory.current";
  } else {
    control_ = state_ = root + "/freezer" + path + "/freezer.state";
    memory_ = root + "/memory" + path + "/memory.usage_in_bytes";
  }
}

bool OciFreezer::frozen() const {
  const std::string text = read_text(state_);
  return v2_ ? text.find("frozen 1") != std::string::npos : text.compare(0, 6, "FROZEN") == 0;
}

Task<base::Status> OciFreezer::freeze(std::chrono::milliseconds limit) {
  if (auto written = write_text(control_, v2_ ? "1" : "FROZEN"); !written)
    co_return base::wrap("freeze", written.error());
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  const auto deadline = std::chrono::steady_clock::now() + limit;
  // Processes stop at their next return to user space; nobody tells us, so look.
  for (auto pause = std::chrono::milliseconds(1); !frozen();
       pause = std::min(pause * 2, std::chrono::milliseconds(50))) {
    if (std::chrono::steady_clock::now() >= deadline) {
      (void)thaw();  // the failure that counts is the one below
      co_return base::fail(base::Errc::kTimeout, "freeze: its processes do not stop");
    }
    timer.expires_after(pause);
    co_await timer.async_wait(net::use_ec);
    // v1 goes on only when asked again, where a process was forked meanwhile.
    if (!v2_) (void)write_text(control_, "FROZEN");
  }
  co_return base::Status{};
}

base::Status OciFreezer::thaw() const {
  auto written = write_text(control_, v2_ ? "0" : "THAWED");
  if (!written) return base::wrap("thaw", written.error());
  return {};
}

base::Result<std::uint64_t> OciFreezer::memory() const {
  std::ifstream file(memory_);
  std::uint64_t bytes = 0;
  if (!(file >> bytes)) return base::fail(base::Errc::kNotFound, "no " + memory_);
  return bytes;
}

}  // namespace sandtrap::sandbox
