// `sandtrap replay`: a recording in the operator's terminal.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/fd.h"
#include "cli/commands.h"
#include "cli/player.h"
#include "config/value.h"
#include "term/safe_output.h"

namespace sandtrap::cli {
namespace {

// A file's bytes without a copy. Recordings are only ever appended to, and cut before they are
// finished; one that is being written is mapped at its size of now.
class Mapped {
 public:
  explicit Mapped(const std::string& path) {
    const base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    struct stat info {};
    if (!file || ::fstat(file.get(), &info) != 0) {
      error_ = errno;
      return;
    }
    if (!S_ISREG(info.st_mode)) {
      error_ = EINVAL;
      return;
    }
    size_ = static_cast<std::size_t>(info.st_size);
    if (size_ == 0) return;
    void* at = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (at == MAP_FAILED) {
      error_ = errno;
      size_ = 0;
      return;
    }
    data_ = static_cast<const std::uint8_t*>(at);
  }
  ~Mapped() {
    if (data_ != nullptr) ::munmap(const_cast<std::uint8_t*>(data_), size_);
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;

  int error() const { return error_; }
  base::ByteView bytes() const { return {data_, size_}; }

 private:
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  int error_ = 0;
};

// What interrupts us must not leave the terminal as the attacker's session had it: it is read here
// instead, and ends the player.
base::Fd interruptions() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return {};
  return base::Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

std::string sidecar_of(const std::string& cast) {
  const bool usual = cast.size() > 5 && cast.ends_with(".cast");
  return usual ? cast.substr(0, cast.size() - 5) + ".bin" : "";
}

bool too_small(const Played& played) {
  winsize now{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &now) == 0 && now.ws_col > 0 &&
         (now.ws_col < played.columns || now.ws_row < played.rows);
}

}  // namespace

int replay(const ReplayOptions& options) {
  PlayerOptions how;
  how.speed = options.speed;
  how.input = options.input;
  how.at_once = options.cat || ::isatty(STDOUT_FILENO) == 0;
  if (!options.idle_limit.empty()) {
    const auto limit = config::parse_duration(options.idle_limit);
    if (!limit) {
      fmt::print(stderr, "sandtrap replay: --idle-limit: {}\n", limit.error().context);
      return kUsage;
    }
    how.idle_limit = std::chrono::duration_cast<std::chrono::microseconds>(*limit);
  }
  const Mapped cast(options.file);
  if (cast.error() != 0) {
    fmt::print(stderr, "sandtrap replay: {}: {}\n", options.file, std::strerror(cast.error()));
    return kFailed;
  }
  const std::string sidecar = sidecar_of(options.file);
  const Mapped binary(sidecar.empty() ? "/dev/null" : sidecar);
  const bool terminal = !how.at_once;
  const base::Fd stop = terminal ? interruptions() : base::Fd();
  how.stop = stop.get();
  const auto played = play(base::as_text(cast.bytes()), binary.bytes(), STDOUT_FILENO,
                           ::isatty(STDIN_FILENO) == 1 ? STDIN_FILENO : -1, how);
  if (::isatty(STDOUT_FILENO) == 1) {
    std::fwrite(term::SafeOutput::reset().data(), 1, term::SafeOutput::reset().size(), stdout);
    fmt::print("\n");
    std::fflush(stdout);
  }
  if (!played) {
    fmt::print(stderr, "sandtrap replay: {}: {}\n", options.file, played.error().context);
    return kFailed;
  }
  if (terminal && too_small(*played)) {
    fmt::print(stderr, "The recording's terminal had {} columns and {} rows; this one has less.\n",
               played->columns, played->rows);
  }
  if (played->left_out > 0) {
    fmt::print(stderr, "{} control sequences were not shown.\n", played->left_out);
  }
  if (played->torn) fmt::print(stderr, "The recording is cut off: its writer died.\n");
  return kOk;
}

}  // namespace sandtrap::cli
