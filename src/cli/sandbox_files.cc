#include "cli/sandbox_files.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>

#include "sandbox/docker_api.h"
#include "sandbox/docker_engine.h"
#include "sandbox/loop_disk.h"
#include "sandbox/oci_host.h"

namespace sandtrap::cli {
namespace fs = std::filesystem;
namespace {

constexpr unsigned long kSafe = MS_NODEV | MS_NOSUID | MS_NOEXEC;

struct Layers {
  std::string upper, lower;  // folders; lower may be several, with ':'
};

}  // namespace

// Where the mounts go, in this process's own namespace: nobody else ever sees them.
class SandboxView {
 public:
  ~SandboxView() {
    if (path_.empty()) return;
    ::umount2(path_.c_str(), MNT_DETACH);
    ::rmdir(path_.c_str());
  }
  base::Status open() {
    char path[] = "/run/sandtrap-view-XXXXXX";
    if (::mkdtemp(path) == nullptr) return base::fail_errno("a work area", errno);
    path_ = path;
    if (::unshare(CLONE_NEWNS) != 0) return base::fail_errno("a mount namespace", errno);
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      return base::fail_errno("make mounts private", errno);
    }
    if (::mount("tmpfs", path, "tmpfs", kSafe, "size=64k,mode=700") != 0) {
      return base::fail_errno("mount a work area", errno);
    }
    for (const std::string& name : {disk(), root(), lower()}) {
      if (::mkdir(name.c_str(), 0700) != 0) return base::fail_errno(name, errno);
    }
    return {};
  }
  std::string disk() const { return path_ + "/disk"; }
  std::string root() const { return path_ + "/root"; }
  std::string lower() const { return path_ + "/lower"; }

 private:
  std::string path_;
};

namespace {

// The loop device that a living sandbox holds; empty: none does.
std::string loop_of(const std::string& image) {
  std::error_code error;
  const std::string real = fs::canonical(image, error).string();
  for (const auto& entry : fs::directory_iterator("/sys/block", error)) {
    std::ifstream file(entry.path() / "loop/backing_file");
    std::string backing;
    if (std::getline(file, backing) && backing == real) {
      return "/dev/" + entry.path().filename().string();
    }
  }
  return {};
}

base::Status mount_disk(const std::string& image, const std::string& target) {
  const std::string device = loop_of(image);
  if (device.empty()) {
    if (sandbox::mount_loop_ext4(image.c_str(), target.c_str(), MS_RDONLY | kSafe) == 0) return {};
    return base::fail_errno("mount " + image, errno);
  }
  // The same file system as the sandbox has, seen read-only: a second one on a disk in use would
  // be a lie.
  if (::mount(device.c_str(), target.c_str(), "ext4", kSafe, nullptr) != 0 ||
      ::mount(nullptr, target.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | kSafe,
              nullptr) != 0) {
    return base::fail_errno("mount " + device, errno);
  }
  return {};
}

base::Result<Layers> oci_layers(const config::Settings& settings, const std::string& id,
                                const SandboxView& view) {
  std::string image;
  for (const char* folder : {"/sandboxes/", "/preserved/"}) {
    const std::string path = settings.data_dir + folder + id + "/disk.ext4";
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode)) image = path;
  }
  if (image.empty()) return base::fail(base::Errc::kNotFound, "no sandbox " + id);
  std::error_code error;
  const std::string program = fs::read_symlink("/proc/self/exe", error).parent_path().string();
  const auto lower = sandbox::find_oci_image(settings.oci.image, program, settings.oci.userns_base);
  if (auto mounted = mount_disk(image, view.disk()); !mounted)
    return tl::unexpected(mounted.error());
  return Layers{view.disk() + "/upper", lower.value_or("")};
}

boost::asio::awaitable<base::Result<boost::json::object>> inspect(sandbox::DockerApi& api,
                                                                  const std::string& id) {
  if (auto good = co_await api.negotiate(); !good) co_return tl::unexpected(good.error());
  base::Result<boost::json::object> found = base::fail(base::Errc::kNotFound, "no sandbox " + id);
  for (const std::string& name :
       {"sandtrap-" + id, std::string(sandbox::kDockerPreserved) + "-" + id}) {
    found = co_await api.get_object("/containers/" + name + "/json", sandbox::DockerApi::kQuick);
    if (found || found.error().code != base::Errc::kNotFound) break;
  }
  co_return found;
}

base::Result<Layers> docker_layers(const config::Settings& settings, const std::string& id) {
  boost::asio::io_context io;
  sandbox::DockerApi api(io.get_executor(), settings.docker.socket);
  base::Result<boost::json::object> info = base::fail(base::Errc::kUnavailable, "docker");
  boost::asio::co_spawn(
      io, inspect(api, id),
      [&info](std::exception_ptr thrown, base::Result<boost::json::object> result) {
        if (!thrown) info = std::move(result);
      });
  io.run();
  if (!info) return tl::unexpected(info.error());
  const auto* driver = sandbox::docker_member(*info, "GraphDriver");
  const auto* data = driver != nullptr ? sandbox::docker_member(*driver, "Data") : nullptr;
  const std::string upper = data != nullptr ? sandbox::docker_text(*data, "UpperDir") : "";
  if (upper.empty()) {
    return base::fail(base::Errc::kUnsupported,
                      "this Docker Engine's storage driver (" +
                          (driver != nullptr ? sandbox::docker_text(*driver, "Name") : "?") +
                          ") has no layers to look into; use docker diff and docker export on "
                          "sandtrap-" +
                          id + " or sandtrap-preserved-" + id);
  }
  return Layers{upper, sandbox::docker_text(*data, "LowerDir")};
}

base::Status mount_overlay(const std::string& layers, const std::string& target) {
  const std::string options = "lowerdir=" + layers;
  if (::mount("overlay", target.c_str(), "overlay", MS_RDONLY | kSafe, options.c_str()) != 0) {
    return base::fail_errno("mount the overlay", errno);
  }
  return {};
}

base::Fd open_folder(const std::string& path) {
  return base::Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

}  // namespace

base::Result<SandboxFiles> open_sandbox_files(const config::Settings& settings,
                                              const std::string& id, bool root) {
  if (::geteuid() != 0) return base::fail(base::Errc::kDenied, "needs root (try sudo)");
  SandboxFiles out;
  out.view = std::make_shared<SandboxView>();
  if (auto own = out.view->open(); !own) return tl::unexpected(own.error());
  const std::string& engine = settings.container_pool.engine;
  base::Result<Layers> layers = base::fail(base::Errc::kUnsupported, "engine " + engine);
  if (engine == "oci") layers = oci_layers(settings, id, *out.view);
  if (engine == "docker") layers = docker_layers(settings, id);
  if (!layers) return tl::unexpected(layers.error());
  out.id_base = engine == "oci" ? settings.oci.userns_base : 0;
  out.upper = open_folder(layers->upper);
  if (!out.upper) return base::fail_errno(layers->upper, errno);
  std::string lower = layers->lower;
  if (lower.find(':') != std::string::npos) {
    if (auto mounted = mount_overlay(lower, out.view->lower()); !mounted) {
      return tl::unexpected(mounted.error());
    }
    lower = out.view->lower();
  }
  if (!lower.empty()) out.lower = open_folder(lower);
  if (!root) return out;
  if (!out.lower) return base::fail(base::Errc::kNotFound, "the image is not there any more");
  if (auto mounted = mount_overlay(layers->upper + ":" + layers->lower, out.view->root());
      !mounted) {
    return tl::unexpected(mounted.error());
  }
  out.root = open_folder(out.view->root());
  if (!out.root) return base::fail_errno(out.view->root(), errno);
  return out;
}

}  // namespace sandtrap::cli
