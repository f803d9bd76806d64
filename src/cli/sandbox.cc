// `sandtrap sandbox diff` and `sandtrap sandbox export`.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>
#include <utility>

#include "app/configuration.h"
#include "cli/archive.h"
#include "cli/commands.h"
#include "cli/json_output.h"
#include "cli/printable.h"
#include "cli/sandbox_files.h"
#include "cli/tree_walk.h"

namespace sandtrap::cli {
namespace json = boost::json;
namespace {

// Whether the image has this path; a link on the way there is another place.
bool in_image(const base::Fd& image, const std::string& path) {
  if (!image) return false;
  open_how how{};
  how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const auto slash = path.rfind('/');
  if (slash != std::string::npos) {
    open_how parent = how;
    parent.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    parent.resolve |= RESOLVE_NO_SYMLINKS;
    const base::Fd folder(static_cast<int>(::syscall(
        SYS_openat2, image.get(), path.substr(0, slash).c_str(), &parent, sizeof parent)));
    if (!folder) return false;
    return base::Fd(static_cast<int>(::syscall(SYS_openat2, folder.get(),
                                               path.substr(slash + 1).c_str(), &how, sizeof how)))
               .get() >= 0;
  }
  return base::Fd(
             static_cast<int>(::syscall(SYS_openat2, image.get(), path.c_str(), &how, sizeof how)))
             .get() >= 0;
}

bool is_whiteout(const struct stat& info) {
  return S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0);
}

// With `as_json` an object a line in an array: there may be a million.
int diff(const SandboxFiles& files, bool as_json) {
  bool first = true;
  if (as_json) fmt::print("[");
  const auto done = walk_tree(files.upper.get(), [&](const TreeEntry& entry) -> base::Status {
    const char kind = is_whiteout(entry.info) ? 'D' : in_image(files.lower, entry.path) ? 'C' : 'A';
    const bool folder = S_ISDIR(entry.info.st_mode);
    const std::string path = "/" + printable(entry.path);
    if (as_json) {
      fmt::print("{}\n{}", std::exchange(first, false) ? "" : ",",
                 json_text(json::object{
                     {"change", std::string(1, kind)}, {"path", path}, {"folder", folder}}));
    } else {
      fmt::print("{} {}{}\n", kind, path, folder ? "/" : "");
    }
    return {};
  });
  if (as_json) fmt::print("\n]\n");
  return done ? kOk : fail(printable(done.error().context));
}

}  // namespace

int sandbox_command(const SandboxOptions& options) {
  if (!is_id(options.id)) return fail("not a sandbox: " + printable(options.id), kUsage);
  const auto settings = app::read_configuration(options.config);
  if (!settings) return kBadConfig;
  const auto files = open_sandbox_files(*settings, options.id, options.rootfs);
  if (!files) return fail("sandbox " + options.id + ": " + files.error().context);
  if (options.action == "diff") return diff(*files, options.json);
  const base::Fd& top = options.rootfs ? files->root : files->upper;
  const auto written = write_archive(top.get(), options.file, files->id_base);
  if (!written) return fail(printable(written.error().context));
  if (options.json) {
    print_json(json::object{{"file", printable(options.file)},
                            {"entries", written->entries},
                            {"bytes", written->bytes}});
    return kOk;
  }
  fmt::print("{}: {} entries, {} bytes of files\n", options.file, written->entries, written->bytes);
  return kOk;
}

}  // namespace sandtrap::cli
