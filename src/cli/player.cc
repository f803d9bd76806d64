#include "cli/player.h"

#include <fmt/format.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>

#include "base/instant.h"
#include "record/decoder.h"
#include "term/safe_output.h"

namespace sandtrap::cli {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

// A terminal with some of its settings changed, until the object goes.
class TerminalMode {
 public:
  TerminalMode(int fd, tcflag_t local_off, tcflag_t output_off) : fd_(fd) {
    if (fd_ < 0 || ::tcgetattr(fd_, &before_) != 0) return;
    termios now = before_;
    now.c_lflag &= ~local_off;
    now.c_oflag &= ~output_off;
    changed_ = ::tcsetattr(fd_, TCSADRAIN, &now) == 0;
  }
  ~TerminalMode() {
    if (changed_) ::tcsetattr(fd_, TCSADRAIN, &before_);
  }
  TerminalMode(const TerminalMode&) = delete;
  TerminalMode& operator=(const TerminalMode&) = delete;

 private:
  int fd_;
  bool changed_ = false;
  termios before_{};
};

class Player {
 public:
  // Keys come one by one and unseen. What a terminal wrote in the sandbox is complete: ours must
  // not make a new line of a line feed again.
  Player(int out, int keys, bool pty, const PlayerOptions& options)
      : out_(out),
        keys_(keys),
        options_(options),
        key_mode_(options.at_once ? -1 : keys, ICANON | ECHO, 0),
        out_mode_(options.at_once || !pty ? -1 : out, 0, OPOST) {}

  bool show(const record::Recorded& event) {
    if (options_.at_once) return write(event);
    const microseconds at(event.micros);
    microseconds pause = std::max(at - last_, microseconds(0));
    last_ = std::max(at, last_);
    if (options_.idle_limit.count() > 0) pause = std::min(pause, options_.idle_limit);
    return wait(duration_cast<microseconds>(pause / options_.speed)) && write(event);
  }
  std::uint64_t left_out() const { return output_.left_out() + input_.left_out(); }

 private:
  // False: the viewer wants no more.
  bool wait(microseconds pause) {
    const auto end = base::monotonic_now() + pause;
    for (;;) {
      const auto left = duration_cast<milliseconds>(end - base::monotonic_now());
      pollfd from[] = {{options_.stop, POLLIN, 0}, {keys_, POLLIN, 0}};  // -1 is passed over
      const int most = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
      const int ready = ::poll(from, 2, held_ ? -1 : most);
      if ((ready < 0 && errno != EINTR) || from[0].revents != 0) return false;
      if (ready <= 0 || from[1].revents == 0) {
        if (!held_ && left.count() <= 0) return true;
        continue;
      }
      char pressed = 0;
      if (::read(keys_, &pressed, 1) <= 0) {
        keys_ = -1;  // nobody is there to let go of it
        held_ = false;
        continue;
      }
      if (pressed == 'q') return false;
      if (pressed == ' ') held_ = !held_;
      if (pressed == '+') options_.speed = std::min(options_.speed * 2, 1024.0);
      if (pressed == '-') options_.speed = std::max(options_.speed / 2, 1.0 / 64);
      if (pressed == '.' && held_) return true;
    }
  }

  bool write(const record::Recorded& event) {
    std::string text;
    switch (event.code) {
      case 'o':
      case 'O':
      case 'e':
      case 'E':
        output_.feed(base::as_text(event.data), text);
        break;
      case 'i':
      case 'I':
        if (!options_.input) return true;
        text = "\x1b[7m";
        input_.feed(base::as_text(event.data), text);
        text += "\x1b[27m";
        break;
      default:
        return true;
    }
    return write_all(out_, text);
  }

  int out_, keys_;
  PlayerOptions options_;
  TerminalMode key_mode_, out_mode_;
  term::SafeOutput output_, input_;
  microseconds last_{0};
  bool held_ = false;
};

}  // namespace

base::Result<Played> play(std::string_view cast, base::ByteView binary, int out, int keys,
                          const PlayerOptions& options) {
  Played done;
  record::Recording head;
  std::optional<Player> player;
  for (std::size_t number = 1; !cast.empty(); ++number) {
    const std::size_t end = cast.find('\n');
    if (end == std::string_view::npos) {
      done.torn = true;
      break;
    }
    const std::string_view line = cast.substr(0, end);
    cast.remove_prefix(end + 1);
    if (!player) {
      if (!record::read_header(line, head)) break;
      done.columns = head.columns;
      done.rows = head.rows;
      player.emplace(out, keys, head.pty, options);
      continue;
    }
    const auto event = record::read_event(line, binary);
    if (!event) {
      return base::fail(base::Errc::kInvalid, fmt::format("line {}: not an event", number));
    }
    ++done.events;
    if (!player->show(*event)) {
      done.stopped = true;
      break;
    }
  }
  if (!player) return base::fail(base::Errc::kInvalid, "not an asciicast version 2 recording");
  done.left_out = player->left_out();
  return done;
}

}  // namespace sandtrap::cli
