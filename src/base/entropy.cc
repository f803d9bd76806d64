#include "base/entropy.h"

#include <sys/random.h>

#include <cerrno>

#include "base/error.h"

namespace sandtrap::base {
namespace {

void read_kernel(MutableByteView out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = ::getrandom(out.data() + done, out.size() - done, 0);
    if (n < 0 && errno == EINTR) continue;
    SANDTRAP_CHECK(n > 0);
    done += static_cast<std::size_t>(n);
  }
}

}  // namespace

void SystemEntropy::fill(MutableByteView out) {
  if (out.size() > sizeof pool_ / 2) return read_kernel(out);
  if (out.size() > left_) {
    read_kernel(pool_);
    left_ = sizeof pool_;
  }
  std::uint8_t* from = pool_ + (sizeof pool_ - left_);
  std::memcpy(out.data(), from, out.size());
  explicit_bzero(from, out.size());  // handed out once, then gone
  left_ -= out.size();
}

std::string random_id(Entropy& entropy, std::size_t hex_digits) {
  Bytes raw((hex_digits + 1) / 2);
  entropy.fill(raw);
  return to_hex(raw).substr(0, hex_digits);
}

}  // namespace sandtrap::base
