#include "sandbox/loop_disk.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "net/task.h"

namespace sandtrap::sandbox {
namespace {

constexpr int kLoopAttempts = 64;  // others may take the device we were told is free

// Copies one run of data.
int copy_range(int from, int to, off_t at, off_t end) noexcept {
  while (at < end) {
    off_t in = at, out = at;
    const ssize_t n = ::copy_file_range(from, &in, to, &out, static_cast<std::size_t>(end - at), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return -1;
    at += n;
  }
  return 0;
}

int attach_loop(int image, char* path, std::size_t room, bool read_only) noexcept {
  const int control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  if (control < 0) return -1;
  int device = -1;
  for (int attempt = 0; attempt < kLoopAttempts && device < 0; ++attempt) {
    const int number = ::ioctl(control, LOOP_CTL_GET_FREE);
    if (number < 0) break;
    // Formatted by hand: snprintf is not for the child of a fork.
    char digits[12];
    int length = 0, rest = number;
    do digits[length++] = static_cast<char>('0' + rest % 10);
    while ((rest /= 10) > 0);
    constexpr char kPrefix[] = "/dev/loop";
    if (sizeof(kPrefix) + static_cast<std::size_t>(length) > room) break;
    std::memcpy(path, kPrefix, sizeof(kPrefix) - 1);
    char* at = path + sizeof(kPrefix) - 1;
    while (length > 0) *at++ = digits[--length];
    *at = '\0';
    // /dev may be a plain directory (a container): then the node is ours to make.
    if (::access(path, F_OK) != 0)
      ::mknod(path, S_IFBLK | 0600, static_cast<dev_t>(7U << 8U | static_cast<unsigned>(number)));
    device = ::open(path, O_RDWR | O_CLOEXEC);
    if (device < 0) continue;
    loop_config config{};
    config.fd = static_cast<__u32>(image);
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    if (read_only) config.info.lo_flags |= LO_FLAGS_READ_ONLY;
    if (::ioctl(device, LOOP_CONFIGURE, &config) == 0) break;
    ::close(device);
    device = -1;
  }
  ::close(control);
  return device;
}

// Mounts the new disk in a mount namespace of its own and makes the two directories of an overlay.
class DirectoryMaker final : public Preparation {
 public:
  DirectoryMaker(std::string image, std::uint32_t owner)
      : image_(std::move(image)), owner_(owner) {}
  const char* apply() const noexcept override {
    if (::unshare(CLONE_NEWNS) != 0) return "unshare";
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return "make private";
    if (mount_loop_ext4(image_.c_str(), "/mnt", 0) != 0) return "mount the disk template";
    for (const char* name : {"/mnt/upper", "/mnt/work"})
      if (::mkdir(name, 0755) != 0 || ::chown(name, owner_, owner_) != 0) return name;
    if (::rmdir("/mnt/lost+found") != 0) return "remove lost+found";
    return nullptr;
  }

 private:
  std::string image_;
  std::uint32_t owner_;
};

struct RemoveOnExit {
  const std::string& path;
  ~RemoveOnExit() { ::unlink(path.c_str()); }  // after the rename there is nothing left
};

Task<base::Status> run_checked(Children& children, SpawnRequest request, std::string what) {
  auto done = co_await children.run(std::move(request), std::chrono::seconds(60));
  if (!done) co_return base::wrap(what, done.error());
  if (!done->ok())
    co_return base::fail(base::Errc::kUnsupported,
                         what + ": " + done->output.substr(0, done->output.find('\n')));
  co_return base::Status{};
}

}  // namespace

int copy_sparse(const char* from_path, const char* to_path) noexcept {
  const int from = ::open(from_path, O_RDONLY | O_CLOEXEC);
  const int to = ::open(to_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (from < 0 || to < 0) return -1;
  if (::ioctl(to, FICLONE, from) == 0) return ::close(from) | ::close(to);
  const off_t size = ::lseek(from, 0, SEEK_END);
  if (size < 0 || ::ftruncate(to, size) != 0) return -1;
  for (off_t at = 0; at < size;) {
    const off_t data = ::lseek(from, at, SEEK_DATA);
    if (data < 0) break;  // ENXIO: only a hole is left
    const off_t hole = ::lseek(from, data, SEEK_HOLE);
    if (hole < 0 || copy_range(from, to, data, hole) != 0) return -1;
    at = hole;
  }
  return ::close(from) | ::close(to);
}

int mount_loop_ext4(const char* image, const char* target, unsigned long flags) noexcept {
  const bool read_only = (flags & MS_RDONLY) != 0;
  const int file = ::open(image, (read_only ? O_RDONLY : O_RDWR) | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) return -1;
  char path[32];
  const int device = attach_loop(file, path, sizeof(path), read_only);
  const int attach_error = errno;
  ::close(file);
  errno = attach_error;
  if (device < 0) return -1;
  const int result =
      ::mount(path, target, "ext4", flags, read_only ? "noload" : "errors=remount-ro");
  const int mount_error = errno;
  ::close(device);  // the mount holds the device now; without one it vanishes here
  errno = mount_error;
  return result;
}

Task<base::Status> make_template_disk(Children& children, std::string path, std::uint64_t bytes,
                                      std::uint32_t owner) {
  std::string partial = path + ".XXXXXX";
  {
    const base::Fd file(::mkostemp(partial.data(), O_CLOEXEC));
    if (!file) co_return base::fail_errno("create " + partial, errno);
    if (::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0)
      co_return base::fail_errno("size of " + partial, errno);
  }
  const RemoveOnExit remove{partial};
  SpawnRequest format;
  const char* program =
      ::access("/sbin/mkfs.ext4", X_OK) == 0 ? "/sbin/mkfs.ext4" : "/usr/sbin/mkfs.ext4";
  // No journal: nobody replays it. -m 0: the limit is exact for root too.
  for (const char* word : {program, "-q", "-F", "-O", "^has_journal,^resize_inode", "-m", "0", "-E",
                           "lazy_itable_init=1,nodiscard,root_owner=0:0"})
    format.argv.emplace_back(word);
  format.argv.push_back(partial);
  if (auto done = co_await run_checked(children, std::move(format), "mkfs.ext4"); !done)
    co_return done;
  const DirectoryMaker maker(partial, owner);
  SpawnRequest populate;
  populate.argv = {"/bin/true"};
  populate.preparation = &maker;
  if (auto done = co_await run_checked(children, std::move(populate), "disk template"); !done)
    co_return done;
  // The child's mount ended with it; its last writes arrive when the loop device is gone.
  if (!co_await loop_released(partial, std::chrono::seconds(5)))
    co_return base::fail(base::Errc::kTimeout, "disk template: still in use");
  if (::rename(partial.c_str(), path.c_str()) != 0)
    co_return base::fail_errno("rename " + partial, errno);
  co_return base::Status{};
}

namespace {

bool loop_in_use(const std::string& image) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/block", error)) {
    if (entry.path().filename().string().compare(0, 4, "loop") != 0) continue;
    std::ifstream file(entry.path() / "loop/backing_file");
    std::string backing;
    if (std::getline(file, backing) && backing == image) return true;
  }
  return false;
}

}  // namespace

Task<bool> loop_released(std::string image, std::chrono::milliseconds limit) {
  std::error_code error;
  const std::string real = std::filesystem::weakly_canonical(image, error).string();
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  const auto deadline = std::chrono::steady_clock::now() + limit;
  // The kernel tells nobody when it lets a device go: look again soon, then less often.
  for (auto pause = std::chrono::milliseconds(2); loop_in_use(real);
       pause = std::min(pause * 2, std::chrono::milliseconds(50))) {
    if (std::chrono::steady_clock::now() >= deadline) co_return false;
    timer.expires_after(pause);
    co_await timer.async_wait(net::use_ec);
  }
  co_return true;
}

}  // namespace sandtrap::sandbox
