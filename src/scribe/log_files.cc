#include "scribe/log_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "journal/gzip.h"
#include "journal/names.h"
#include "scribe/log_repair.h"

namespace sandtrap::scribe {
namespace {

using base::Fd;
using base::Result;

std::uint64_t blocks_of(const Fd& dir, const std::string& name) {
  struct stat info {};
  if (::fstatat(dir.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return 0;
  return static_cast<std::uint64_t>(info.st_blocks) * 512;
}

std::uint64_t size_of(const Fd& file) {
  struct stat info {};
  return ::fstat(file.get(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

std::string path_in_logs(const std::string& name) {
  return std::string(journal::kFolder) + "/" + name;
}

// The time of its first line; empty if it has none that says so. Lines begin {"time":"…".
std::string first_time(const Fd& log) {
  constexpr std::string_view kBefore = "{\"time\":\"";
  char head[256];
  const ssize_t n = ::pread(log.get(), head, sizeof head, 0);
  std::string_view text(head, n > 0 ? static_cast<std::size_t>(n) : 0);
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));  // a mended line
  if (!text.starts_with(kBefore)) return {};
  text.remove_prefix(kBefore.size());
  return std::string(text.substr(0, text.find('"')));
}

}  // namespace

Result<LogFiles> LogFiles::open(const Fd& root) {
  LogFiles files(root);
  auto logs = open_folder(root, journal::kFolder);
  if (!logs) return tl::unexpected(logs.error());
  files.logs_ = std::move(*logs);
  for (const std::string& name : names_in(files.logs_)) {
    if (journal::is_unfinished(name)) ::unlinkat(files.logs_.get(), name.c_str(), 0);
  }
  return files;
}

bool LogFiles::due(std::uint64_t bytes, std::chrono::seconds age, base::WallTime now) const {
  const auto log = open_regular(*root_, journal::kCurrent, O_RDONLY);
  if (!log) return false;
  const std::uint64_t size = size_of(*log);
  if (size == 0 || size >= bytes) return size != 0;
  // ISO 8601 of one length sorts as time does.
  const std::string oldest = base::to_iso8601(
      {now.micros - std::chrono::duration_cast<std::chrono::microseconds>(age).count()});
  const std::string first = first_time(*log);
  return first.size() == oldest.size() && first <= oldest;
}

Result<std::string> LogFiles::move(base::WallTime now) const {
  std::string name = journal::moved_name(now);
  if (::renameat2(root_->get(), journal::kCurrent, logs_.get(), name.c_str(), RENAME_NOREPLACE) !=
      0) {
    return base::fail_errno("move the event log", errno);
  }
  return name;
}

void LogFiles::move_back(const std::string& name) const {
  ::renameat2(logs_.get(), name.c_str(), root_->get(), journal::kCurrent, RENAME_NOREPLACE);
}

std::vector<std::string> LogFiles::plain() const {
  std::vector<std::string> names;
  for (std::string& name : names_in(logs_)) {
    if (journal::is_moved(name) && !journal::is_compressed(name)) names.push_back(std::move(name));
  }
  return names;
}

bool LogFiles::has_writer(const std::string& name) const {
  const auto file = open_regular(logs_, name, O_RDONLY);
  return file && scribe::has_writer(*file);
}

Result<LogFiles::Finished> LogFiles::finish(const std::string& name, bool compressed) const {
  auto plain = open_regular(logs_, name, O_RDWR);
  if (!plain) return tl::unexpected(plain.error());
  if (const auto repaired = repair_log(plain->get()); !repaired) {
    return tl::unexpected(repaired.error());
  }
  if (compressed) return compress(name, *plain);
  const std::uint64_t size = size_of(*plain);
  return Finished{path_in_logs(name), size, size};
}

Result<LogFiles::Finished> LogFiles::compress(const std::string& name, const Fd& plain) const {
  const std::string to = journal::compressed_of(name), unfinished = journal::unfinished_of(to);
  ::unlinkat(logs_.get(), unfinished.c_str(), 0);
  auto out = open_at(logs_, unfinished, O_RDWR | O_CREAT | O_EXCL, 0640);
  if (!out) return tl::unexpected(out.error());
  auto original = journal::compress_file(plain.get(), out->get());
  if (original && ::fsync(out->get()) != 0) original = base::fail_errno("fsync " + to, errno);
  if (original && ::renameat(logs_.get(), unfinished.c_str(), logs_.get(), to.c_str()) != 0) {
    original = base::fail_errno("rename to " + to, errno);
  }
  // The new name must be on disk before the old one goes.
  if (original && ::fsync(logs_.get()) != 0) original = base::fail_errno("fsync logs", errno);
  if (!original) {
    ::unlinkat(logs_.get(), unfinished.c_str(), 0);
    return base::wrap("compress " + name, original.error());
  }
  ::unlinkat(logs_.get(), name.c_str(), 0);
  return Finished{path_in_logs(to), size_of(*out), *original};
}

std::vector<Removed> LogFiles::trim(std::uint64_t limit) const {
  const auto names = journal::in_order(names_in(logs_));
  std::uint64_t total = blocks_of(*root_, journal::kCurrent);
  for (const std::string& name : names) total += blocks_of(logs_, name);
  std::vector<Removed> removed;
  for (const std::string& name : names) {
    if (total <= limit) break;
    const std::uint64_t bytes = blocks_of(logs_, name);
    if (::unlinkat(logs_.get(), name.c_str(), 0) != 0) continue;
    // Its plain twin, if a crash left one.
    if (journal::is_compressed(name)) {
      const std::string plain =
          name.substr(0, name.size() - journal::kCompressed.size()) + std::string(journal::kPlain);
      ::unlinkat(logs_.get(), plain.c_str(), 0);
    }
    total -= std::min(total, bytes);
    removed.push_back({path_in_logs(name), bytes});
  }
  return removed;
}

}  // namespace sandtrap::scribe
