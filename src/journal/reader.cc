#include "journal/reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "journal/names.h"

namespace sandtrap::journal {
namespace {

using base::Fd;

constexpr std::size_t kBlock = 256 * 1024;

Fd open_at(const Fd& folder, const std::string& name) {
  return Fd(::openat(folder.get(), name.c_str(),
                     O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
}

bool same_file(const Fd& a, const Fd& b) {
  struct stat one {
  }, other{};
  return a && b && ::fstat(a.get(), &one) == 0 && ::fstat(b.get(), &other) == 0 &&
         one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

std::vector<std::string> names_in(const Fd& folder) {
  std::vector<std::string> names;
  Fd again(::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(again ? ::fdopendir(again.get()) : nullptr,
                                                [](DIR* d) { return d ? ::closedir(d) : 0; });
  if (!dir) return names;
  again.release();
  while (const dirent* entry = ::readdir(dir.get())) names.emplace_back(entry->d_name);
  return names;
}

}  // namespace

base::Result<Reader> Reader::open(const std::string& data_dir) {
  const Fd root(::open(data_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return base::fail_errno(data_dir, errno);
  Reader reader;
  reader.current_ = open_at(root, kCurrent);
  if (!reader.current_ && errno != ENOENT) {
    return base::fail_errno(data_dir + "/" + kCurrent, errno);
  }
  reader.folder_.reset(
      ::openat(root.get(), kFolder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (reader.folder_) reader.names_ = in_order(names_in(reader.folder_));
  reader.ended_ = true;
  return reader;
}

bool Reader::next_file() {
  while (at_ < names_.size()) {
    std::string name = names_[at_++];
    Fd fd = open_at(folder_, name);
    if (!fd && errno == ENOENT && !is_compressed(name)) {  // compressed since we looked
      name = compressed_of(name);
      fd = open_at(folder_, name);
    }
    if (!fd) {
      if (errno != ENOENT) problems_.push_back(base::fail_errno(name, errno).value().context);
      continue;  // the disk budget has deleted it
    }
    if (same_file(fd, current_)) continue;
    file_ = File{name, std::move(fd), std::nullopt};
    if (is_compressed(name)) {
      auto gzip = GzipReader::open(std::move(file_.fd));
      if (!gzip) {
        problems_.push_back(name + ": " + gzip.error().context);
        continue;
      }
      file_.gzip.emplace(std::move(*gzip));
    }
    ended_ = false;
    return true;
  }
  if (!current_) return false;
  file_ = File{kCurrent, std::move(current_), std::nullopt};
  ended_ = false;
  return true;
}

bool Reader::fill() {
  if (ended_) return false;
  buffer_.erase(0, begin_);
  begin_ = 0;
  const std::size_t before = buffer_.size();
  buffer_.resize(before + kBlock);
  base::Result<std::size_t> got = 0;
  if (file_.gzip) {
    got = file_.gzip->read(buffer_.data() + before, kBlock);
  } else {
    ssize_t n = 0;
    do {
      n = ::read(file_.fd.get(), buffer_.data() + before, kBlock);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
      got = base::fail_errno("read", errno);
    } else {
      got = static_cast<std::size_t>(n);
    }
  }
  if (!got) problems_.push_back(file_.name + ": " + got.error().context);
  buffer_.resize(before + got.value_or(0));
  ended_ = got.value_or(0) == 0;
  return !ended_;
}

std::optional<std::string_view> Reader::next() {
  for (;;) {
    const std::size_t end = buffer_.find('\n', begin_);
    if (end != std::string::npos) {
      const std::string_view line = std::string_view(buffer_).substr(begin_, end - begin_);
      begin_ = end + 1;
      if (std::exchange(skipping_, false)) continue;
      if (line.find_first_not_of(' ') != std::string_view::npos) return line;
      continue;
    }
    if (buffer_.size() - begin_ > kMaxLine) {
      if (!std::exchange(skipping_, true)) problems_.push_back(file_.name + ": a line is too long");
      buffer_.clear();
      begin_ = 0;
    }
    if (fill()) continue;
    // A last line without its newline is still being written, or torn.
    buffer_.clear();
    begin_ = 0;
    skipping_ = false;
    if (!next_file()) return std::nullopt;
  }
}

}  // namespace sandtrap::journal
