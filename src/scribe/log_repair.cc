#include "scribe/log_repair.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <string>
#include <string_view>

namespace sandtrap::scribe {
namespace {

using base::Result;
using base::Status;

constexpr int kMaxRounds = 50;  // writers that keep appending while we look
constexpr std::string_view kLineStart = "{\"time\":\"";

Result<std::uint64_t> size_of(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return base::fail_errno("stat", errno);
  return static_cast<std::uint64_t>(info.st_size);
}

Result<std::string> read_range(int fd, std::uint64_t from, std::uint64_t to) {
  std::string out(to - from, '\0');
  std::size_t have = 0;
  while (have < out.size()) {
    const ssize_t n =
        ::pread(fd, out.data() + have, out.size() - have, static_cast<off_t>(from + have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno("read", errno);
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  out.resize(have);
  return out;
}

Status write_at(int fd, std::uint64_t at, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno("write", errno);
    at += static_cast<std::uint64_t>(n);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

// Returns once every write(2) that was under way has ended: a write holds the inode's lock, and so
// must ours, which puts one byte where it is already.
Status wait_for_writers(int fd, std::uint64_t size) {
  if (size == 0) return {};
  auto last = read_range(fd, size - 1, size);
  if (!last) return tl::unexpected(last.error());
  return write_at(fd, size - 1, *last);
}

bool is_object(std::string_view line) {
  boost::json::error_code error;
  const auto value = boost::json::parse(line, error);
  return !error && value.is_object();
}

// What of a line is to be blanked: nothing, the torn half in front of a whole object, or all.
std::size_t torn_prefix(std::string_view line) {
  if (is_object(line)) return 0;
  // Quotes inside a string are escaped, so this finds a line's real beginning.
  const std::size_t start = line.rfind(kLineStart);
  if (start != std::string_view::npos && start > 0 && is_object(line.substr(start))) return start;
  return line.size() + 1;  // with its newline: a line of spaces would not parse
}

Status blank(int fd, std::uint64_t from, std::uint64_t size, LogRepair& done) {
  ++done.pieces;
  done.bytes += size;
  return write_at(fd, from, std::string(size, ' '));
}

// Mends the whole lines; returns where the unfinished last one begins.
Result<std::uint64_t> mend_lines(int fd, std::uint64_t base, std::string_view text,
                                 LogRepair& done) {
  std::size_t at = 0;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos;
       end = text.find('\n', at)) {
    const std::size_t torn = torn_prefix(text.substr(at, end - at));
    if (torn > 0) {
      const Status status = blank(fd, base + at, torn, done);
      if (!status) return tl::unexpected(status.error());
    }
    at = end + 1;
  }
  return base + at;
}

bool only_spaces(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == ' '; });
}

}  // namespace

Result<LogRepair> repair_log(int fd) {
  LogRepair done;
  std::uint64_t seen = 0, seen_tail = 0;  // the torn tail as it stood one round before
  for (int round = 0; round < kMaxRounds; ++round) {
    const auto before = size_of(fd);
    if (!before) return tl::unexpected(before.error());
    const Status waited = wait_for_writers(fd, *before);
    if (!waited) return tl::unexpected(waited.error());
    const auto size = size_of(fd);
    if (!size) return tl::unexpected(size.error());

    std::uint64_t from = *size > kRepairWindow ? *size - kRepairWindow : 0;
    auto text = read_range(fd, from, *size);
    if (!text) return tl::unexpected(text.error());
    std::string_view view = *text;
    if (from > 0) {  // the window begins inside a line
      const std::size_t skip = std::min(view.find('\n'), view.size() - 1) + 1;
      view.remove_prefix(skip);
      from += skip;
    }
    const auto tail = mend_lines(fd, from, view, done);
    if (!tail) return tl::unexpected(tail.error());
    if (*tail == *size || only_spaces(view.substr(*tail - from))) return done;
    // The end is torn. Somebody may just be writing it: it is dead only if it stands there
    // unchanged after one more wait.
    if (round > 0 && seen == *size && seen_tail == *tail) {
      const Status status = blank(fd, *tail, *size - *tail, done);
      if (!status) return tl::unexpected(status.error());
      return done;
    }
    seen = *size;
    seen_tail = *tail;
  }
  return done;  // a busy log: the next repair sees the torn line in the middle
}

Result<std::uint64_t> trim_recording(int fd) {
  constexpr std::uint64_t kBlock = 64 * 1024;
  const auto size = size_of(fd);
  if (!size) return size;
  std::uint64_t end = *size;
  while (end > 0) {
    const std::uint64_t from = end > kBlock ? end - kBlock : 0;
    auto block = read_range(fd, from, end);
    if (!block) return tl::unexpected(block.error());
    const std::size_t newline = block->rfind('\n');
    if (newline != std::string::npos) {
      end = from + newline + 1;
      break;
    }
    end = from;
  }
  if (end != *size && ::ftruncate(fd, static_cast<off_t>(end)) != 0) {
    return base::fail_errno("truncate", errno);
  }
  return end;
}

}  // namespace sandtrap::scribe
