#include "warden/verification.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <exception>
#include <fstream>
#include <iterator>
#include <optional>

#include "base/bytes.h"
#include "base/fd.h"
#include "config/document.h"
#include "crypto/hash.h"
#include "verify/attack.h"

namespace sandtrap::warden {
namespace {

using Clock = std::chrono::steady_clock;

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string identity_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return "-";
  return fmt::format("{}:{}:{}.{}", info.st_dev, info.st_ino, info.st_mtim.tv_sec,
                     info.st_mtim.tv_nsec);
}

// Stands for everything that the answer depends on. A digest: the settings hold credentials.
std::string key_of(const config::Settings& settings) {
  const std::string all = fmt::format(
      "{}\n{}\n{}\n{}\n{}", text_of("/proc/sys/kernel/random/boot_id"),
      identity_of("/proc/self/exe"), identity_of(settings.oci.runtime),
      identity_of(settings.oci.image), config::dump(settings, config::Audience::kEveryone));
  std::string out;
  for (const std::uint8_t byte :
       crypto::hash(crypto::HashName::kSha256, base::as_bytes(all)).view())
    out += fmt::format("{:02x}", byte);
  return out;
}

void note(const std::string& path, const std::string& key) {
  const base::Fd file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  // Without the note the next start asks again: nothing worse.
  if (file && ::write(file.get(), key.data(), key.size()) < 0) ::unlink(path.c_str());
}

}  // namespace

base::Status verify_at_start(const config::Settings& settings, sandbox::Engine& engine,
                             boost::asio::io_context& loop, base::Log& log) {
  if (settings.container_pool.engine == "fake") return {};  // isolates nothing, and says so
  if (!settings.verify_at_start) {
    log.warn("verify_at_start is off: nobody has tried whether a sandbox holds");
    return {};
  }
  const std::string path = settings.run_dir + "/verified";
  const std::string key = key_of(settings);
  if (text_of(path) == key) return {};

  const auto begin = Clock::now();
  std::optional<base::Status> held;
  boost::asio::co_spawn(loop, verify::verify_critical(engine, settings, settings.verify_waive),
                        [&held](std::exception_ptr error, base::Status status) {
                          if (error) status = base::fail(base::Errc::kIo, "it threw");
                          held = std::move(status);
                        });
  while (!held && loop.run_one() != 0) {
  }
  loop.restart();
  if (!held) return base::fail(base::Errc::kIo, "the verification did not end");
  if (!*held) {
    ::unlink(path.c_str());
    if (held->error().code == base::Errc::kUnavailable) {
      return base::fail(held->error().code,
                        held->error().context +
                            ". Before a sandbox has been attacked and held, the ports stay closed: "
                            "start the engine; then this start succeeds when it is tried again");
    }
    return base::fail(
        held->error().code,
        fmt::format("a sandbox of this configuration does not hold, so the ports stay closed: {}. "
                    "What to do: `sandtrap verify` shows all of it; correct the setting or the "
                    "machine, or name a weakness that is wanted in verify_waive",
                    held->error().context));
  }
  log.info("a sandbox was attacked from inside and held ({} ms)",
           std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count());
  note(path, key);
  return {};
}

}  // namespace sandtrap::warden
