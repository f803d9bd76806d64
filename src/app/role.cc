// A role process, as the supervisor starts it.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string>

#include "app/configuration.h"
#include "app/engines.h"
#include "app/launch.h"
#include "app/serve.h"
#include "gate/gate.h"
#include "scribe/scribe.h"
#include "warden/warden.h"

namespace sandtrap::app {
namespace {

std::string read_all(base::Fd file) {
  std::string text;
  std::array<char, 16 * 1024> buffer{};
  for (;;) {
    const ssize_t got =
        ::pread(file.get(), buffer.data(), buffer.size(), static_cast<off_t>(text.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

// Credentials and keys must not end in a core file; and many connections need many descriptors.
void set_limits() {
  // The soft limit alone: the warden hands the hard one on to sandboxes, and not every host lets
  // root raise it again (CAP_SYS_RESOURCE).
  rlimit core{};
  if (::getrlimit(RLIMIT_CORE, &core) == 0) {
    core.rlim_cur = 0;
    ::setrlimit(RLIMIT_CORE, &core);
  }
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
}

}  // namespace

int run_role(RoleKind role) {
  for (const int fd : {kControlFd, kSettingsFd}) {
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
      fmt::print(stderr, "sandtrap role: is started by `sandtrap serve` only\n");
      return kUsage;
    }
  }
  // The lock stays open for the life of this process and goes no further.
  ::fcntl(kLockFd, F_SETFD, FD_CLOEXEC);
  ::prctl(PR_SET_NAME, fmt::format("sandtrap-{}", name(role)).c_str());
  survive_broken_pipes();
  // Of whoever started us; with 077 plain users could not enter the root of a sandbox.
  ::umask(022);
  set_limits();

  base::Fd control(kControlFd);
  const config::LoadResult loaded =
      config::load(read_all(base::Fd(kSettingsFd)), "settings");  // closed again: read once
  base::Log log(name(role), log_level(loaded.settings));
  for (const config::Problem& problem : loaded.problems) log.error("{}", to_string(problem));
  if (!loaded.problems.empty()) return kBadConfig;

  switch (role) {
    case RoleKind::kGate:
      return gate::run(loaded.settings, std::move(control), log);
    case RoleKind::kWarden:
      return warden::run(loaded.settings, std::move(control), make_engine, log);
    case RoleKind::kScribe:
      return scribe::run(loaded.settings, std::move(control), log);
  }
  return kUsage;
}

}  // namespace sandtrap::app
