#include "gate/moduli_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "ssh/kex_moduli.h"

namespace sandtrap::gate {
namespace {

constexpr std::size_t kMaxFile = 8 << 20;  // OpenSSH's own is about 0.6 MB

}  // namespace

base::Result<std::vector<ssh::Modulus>> read_moduli(const std::string& path) {
  // Not a wait for the other end, if the path names a pipe.
  const base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return base::fail_errno(path, errno);
  std::string text;
  char block[64 * 1024];
  for (;;) {
    const ssize_t n = ::read(file.get(), block, sizeof block);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno(path, errno);
    if (n == 0) break;
    text.append(block, static_cast<std::size_t>(n));
    if (text.size() > kMaxFile) return base::fail(base::Errc::kLimit, path + ": too long");
  }
  return ssh::parse_moduli(text);
}

}  // namespace sandtrap::gate
