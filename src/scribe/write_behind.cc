#include "scribe/write_behind.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace sandtrap::scribe {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr unsigned kStart = SYNC_FILE_RANGE_WRITE;
constexpr unsigned kComplete =
    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

base::Status write_out(int fd, std::uint64_t from, std::uint64_t to, unsigned how) {
  if (::sync_file_range(fd, static_cast<off64_t>(from), static_cast<off64_t>(to - from), how) != 0)
    return base::fail_errno("write to the disk", errno);
  return {};
}

}  // namespace

void drop_from_memory(int fd, std::uint64_t from, std::uint64_t to) {
  // A length of 0 would mean all of the file.
  if (from >= to) return;
  ::posix_fadvise(fd, static_cast<off_t>(from), static_cast<off_t>(to - from), POSIX_FADV_DONTNEED);
}

base::Status WriteBehind::advance(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return base::fail_errno("fstat", errno);
  // The last page is still written to.
  const std::uint64_t end = static_cast<std::uint64_t>(info.st_size) / kPage * kPage;
  if (end < started_ + kStep) return {};
  if (auto begun = write_out(fd, started_, end, kStart); !begun) return begun;
  if (dropped_ < started_) {
    if (auto done = write_out(fd, dropped_, started_, kComplete); !done) return done;
    drop_from_memory(fd, dropped_, started_);
    dropped_ = started_;
  }
  started_ = end;
  return {};
}

}  // namespace sandtrap::scribe
