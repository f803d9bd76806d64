#include "cli/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <map>
#include <memory>
#include <vector>

#include "base/fd.h"
#include "cli/tree_walk.h"

namespace sandtrap::cli {
namespace {

constexpr std::size_t kMaxLinks = 1'000'000;  // hard links that are remembered

struct FreeArchive {
  void operator()(archive* a) const noexcept { ::archive_write_free(a); }
};
struct FreeEntry {
  void operator()(archive_entry* e) const noexcept { ::archive_entry_free(e); }
};

class Writer {
 public:
  Writer(archive* out, std::uint32_t id_base) : out_(out), id_base_(id_base) {}

  base::Status add(const TreeEntry& from) {
    const std::unique_ptr<archive_entry, FreeEntry> entry(::archive_entry_new());
    struct stat info = from.info;
    if (info.st_uid >= id_base_) info.st_uid -= id_base_;
    if (info.st_gid >= id_base_) info.st_gid -= id_base_;
    ::archive_entry_copy_stat(entry.get(), &info);
    ::archive_entry_copy_pathname(entry.get(), from.path.c_str());
    if (S_ISSOCK(info.st_mode)) return {};  // tar has no word for one
    base::Fd content;
    if (S_ISLNK(info.st_mode)) {
      char target[PATH_MAX];
      const ssize_t size = ::readlinkat(from.folder, from.name.c_str(), target, sizeof target - 1);
      if (size < 0) return {};  // gone meanwhile
      target[size] = '\0';
      ::archive_entry_copy_symlink(entry.get(), target);
    } else if (S_ISREG(info.st_mode)) {
      if (const std::string* first = linked(from)) {
        ::archive_entry_copy_hardlink(entry.get(), first->c_str());
        ::archive_entry_set_size(entry.get(), 0);
      } else {
        content.reset(::openat(from.folder, from.name.c_str(),
                               O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
        struct stat now {};
        // What lies there now may be something else, in a running sandbox.
        if (!content || ::fstat(content.get(), &now) != 0 || !S_ISREG(now.st_mode)) return {};
        ::archive_entry_set_size(entry.get(), now.st_size);
        info.st_size = now.st_size;
      }
    } else {
      ::archive_entry_set_size(entry.get(), 0);
    }
    if (::archive_write_header(out_, entry.get()) < ARCHIVE_WARN) return failed();
    ++done.entries;
    return content ? copy(content, static_cast<std::uint64_t>(info.st_size)) : base::Status{};
  }

  base::Status failed() const {
    const char* why = ::archive_error_string(out_);
    return base::fail(base::Errc::kIo, why != nullptr ? why : "archive");
  }

  Archived done;

 private:
  const std::string* linked(const TreeEntry& from) {
    if (from.info.st_nlink < 2) return nullptr;
    const auto key = std::make_pair(from.info.st_dev, from.info.st_ino);
    if (const auto it = links_.find(key); it != links_.end()) return &it->second;
    if (links_.size() < kMaxLinks) links_.emplace(key, from.path);
    return nullptr;
  }

  base::Status copy(const base::Fd& file, std::uint64_t size) {
    if (done.bytes + size > kMaxArchiveBytes) {
      return base::fail(base::Errc::kLimit, "more than 64 GiB of files");
    }
    done.bytes += size;
    // A file that shrinks meanwhile is filled up by libarchive; one that grows is cut.
    while (size > 0) {
      const std::size_t room =
          size < buffer_.size() ? static_cast<std::size_t>(size) : buffer_.size();
      const ssize_t n = ::read(file.get(), buffer_.data(), room);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      if (::archive_write_data(out_, buffer_.data(), static_cast<std::size_t>(n)) < 0) {
        return failed();
      }
      size -= static_cast<std::uint64_t>(n);
    }
    return {};
  }

  archive* out_;
  std::uint32_t id_base_;
  std::map<std::pair<dev_t, ino_t>, std::string> links_;
  std::vector<char> buffer_ = std::vector<char>(256 * 1024);
};

}  // namespace

base::Result<Archived> write_archive(int top, const std::string& file, std::uint32_t id_base) {
  const base::Fd out(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out) return base::fail_errno(file, errno);
  const std::unique_ptr<archive, FreeArchive> tar(::archive_write_new());
  Writer writer(tar.get(), id_base);
  base::Status written;
  if (::archive_write_set_format_pax(tar.get()) != ARCHIVE_OK ||
      ::archive_write_add_filter_zstd(tar.get()) < ARCHIVE_WARN ||
      ::archive_write_open_fd(tar.get(), out.get()) != ARCHIVE_OK) {
    written = writer.failed();
  }
  if (written) {
    written = walk_tree(top, [&writer](const TreeEntry& entry) { return writer.add(entry); });
  }
  if (written && ::archive_write_close(tar.get()) != ARCHIVE_OK) written = writer.failed();
  if (written) return writer.done;
  ::unlink(file.c_str());  // never half an archive
  return base::wrap(file, written.error());
}

}  // namespace sandtrap::cli
