#include "sandbox/oci_mounts.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "sandbox/loop_disk.h"

namespace sandtrap::sandbox {
namespace {

constexpr char kUnified[] = "/sys/fs/cgroup/unified";

const char* own_namespace(bool hide_unified) noexcept {
  if (::unshare(CLONE_NEWNS) != 0) return "unshare the mount namespace";
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return "make mounts private";
  if (hide_unified && ::umount2(kUnified, MNT_DETACH) != 0) return "unmount the unified hierarchy";
  return nullptr;
}

bool write_file(const char* path, const std::string& content, std::uint32_t owner) noexcept {
  const int fd = ::open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  const bool good =
      ::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
      ::fchown(fd, owner, owner) == 0 && ::fchmod(fd, 0644) == 0;
  ::close(fd);
  return good;
}

// A runtime binds this machine's device nodes into a user namespace, where their owner has no name:
// `ls -l /dev/null` would tell. These are the sandbox's own, and lie over ours in this mount
// namespace alone.
struct Device {
  const char* name;
  const char* path;
  unsigned major, minor;
  gid_t group;
};
constexpr Device kDevices[] = {
    {"null", "/dev/null", 1, 3, 0},       {"zero", "/dev/zero", 1, 5, 0},
    {"full", "/dev/full", 1, 7, 0},       {"random", "/dev/random", 1, 8, 0},
    {"urandom", "/dev/urandom", 1, 9, 0}, {"tty", "/dev/tty", 5, 0, 5},
};

bool make_device(int folder, const Device& device, std::uint32_t owner) noexcept {
  const dev_t number = ::makedev(device.major, device.minor);
  return ::mknodat(folder, device.name, S_IFCHR | 0666, number) == 0 &&
         ::fchownat(folder, device.name, owner, owner + device.group, AT_SYMLINK_NOFOLLOW) == 0;
}

}  // namespace

SandboxMounts::SandboxMounts(const MountPlan& plan)
    : image_(plan.image),
      template_(plan.template_disk),
      disk_(plan.disk),
      area_(plan.work_area),
      lower_(area_ + "/root-ro"),
      writable_(area_ + "/root-rw"),
      devices_(area_ + "/dev"),
      root_(plan.root),
      options_("lowerdir=" + lower_ + ",upperdir=" + writable_ + "/upper,workdir=" + writable_ +
               "/work"),
      owner_(plan.owner),
      hide_unified_(plan.hide_unified) {
  for (const auto& [name, content] : plan.files) {
    File file{writable_ + "/upper/" + name, content, {}};
    for (auto slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1))
      file.parents.push_back(writable_ + "/upper/" + name.substr(0, slash));
    files_.push_back(std::move(file));
  }
}

bool SandboxMounts::write_files() const noexcept {
  for (const File& file : files_) {
    for (const std::string& parent : file.parents)
      if (::mkdir(parent.c_str(), 0755) == 0) {
        if (::chown(parent.c_str(), owner_, owner_) != 0) return false;
      } else if (errno != EEXIST) {
        return false;
      }
    if (!write_file(file.path.c_str(), file.content, owner_)) return false;
  }
  return true;
}

const char* SandboxMounts::own_devices() const noexcept {
  if (::mkdir(devices_.c_str(), 0755) != 0) return "make the folder of the devices";
  if (::mount("udev", devices_.c_str(), "tmpfs", MS_NOSUID | MS_NOEXEC, "size=16k,mode=755") != 0)
    return "mount the folder of the devices";
  const int folder = ::open(devices_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return "open the folder of the devices";
  const char* failed = ::fchdir(folder) != 0 ? "enter the folder of the devices" : nullptr;
  for (const Device& device : kDevices) {
    if (failed != nullptr) break;
    if (!make_device(folder, device, owner_)) failed = "make a device";
    if (failed == nullptr && ::mount(device.name, device.path, nullptr, MS_BIND, nullptr) != 0)
      failed = "bind a device";
  }
  ::close(folder);
  if (::chdir("/") != 0) return "leave the folder of the devices";
  return failed;
}

const char* SandboxMounts::apply() const noexcept {
  ::umask(0);
  if (const char* failed = own_namespace(hide_unified_)) return failed;
  if (!template_.empty() && copy_sparse(template_.c_str(), disk_.c_str()) != 0)
    return "copy the disk template";
  if (::mount("tmpfs", area_.c_str(), "tmpfs", MS_NODEV | MS_NOSUID, "size=64k,mode=755") != 0)
    return "mount the work area";
  for (const std::string* dir : {&lower_, &writable_})
    if (::mkdir(dir->c_str(), 0755) != 0) return "make the mount points";
  if (::mount(image_.c_str(), lower_.c_str(), nullptr, MS_BIND, nullptr) != 0)
    return "bind the image";
  if (mount_loop_ext4(disk_.c_str(), writable_.c_str(), MS_NODEV) != 0) return "mount the disk";
  if (!write_files()) return "write the machine's own files";
  // The source string is free: `df` and `mount` show it.
  if (::mount("/dev/vda1", root_.c_str(), "overlay", MS_NODEV, options_.c_str()) != 0)
    return "mount the overlay";
  const char* failed = own_devices();
  ::umask(022);
  return failed;
}

const char* HideUnified::apply() const noexcept {
  return own_namespace(true);
}

}  // namespace sandtrap::sandbox
