#include "app/folders.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <thread>

namespace sandtrap::app {
namespace {

using base::Errc;
using base::fail;
using base::fail_errno;

constexpr std::chrono::seconds kFormerRoles{20};
constexpr std::chrono::seconds kReader{3};  // for what only `sandtrap status` looks at

base::Status make_folder(const std::string& path, uid_t uid, gid_t gid, mode_t mode) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return fail(Errc::kIo, fmt::format("create {}: {}", path, error.message()));
  // O_NOFOLLOW: the owner of an open folder is changed, never of what a link points to by then.
  const std::string real = std::filesystem::canonical(path, error).string();
  const base::Fd folder(
      ::open((error ? path : real).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!folder) return fail_errno(path, errno);
  if (::fchown(folder.get(), uid, gid) != 0) return fail_errno("chown " + path, errno);
  if (::fchmod(folder.get(), mode) != 0) return fail_errno("chmod " + path, errno);
  return {};
}

bool is_gate_alone(const std::vector<RoleKind>& roles) {
  return std::all_of(roles.begin(), roles.end(),
                     [](RoleKind role) { return role == RoleKind::kGate; });
}

bool is_folder(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

bool is_read_only(const std::string& path) {
  struct statvfs info {};
  return ::statvfs(path.c_str(), &info) == 0 && (info.f_flag & ST_RDONLY) != 0;
}

// kTimeout: held by someone else.
base::Result<base::Fd> try_lock(const std::string& path) {
  base::Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return fail_errno(path, errno);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
  if (errno == EWOULDBLOCK) return fail(Errc::kTimeout, path);
  return fail_errno("lock " + path, errno);
}

// Of a gate that may write nothing: others made the file. Shared, for there may be several of them.
// It only tells `sandtrap status` that the gate lives, so the gate can do without.
base::Result<base::Fd> lock_of_a_reader(const config::Settings& settings) {
  const std::string path =
      fmt::format("{}/{}.process.lock", settings.run_dir, name(RoleKind::kGate));
  const auto give_up = std::chrono::steady_clock::now() + kReader;
  for (;;) {
    base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (file && ::flock(file.get(), LOCK_SH | LOCK_NB) == 0) return file;
    if (std::chrono::steady_clock::now() >= give_up) return fail_errno(path, errno);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

// Made empty where it is missing: what lock_of_a_reader() opens.
base::Status make_gates_lock(const config::Settings& settings) {
  const std::string path =
      fmt::format("{}/{}.process.lock", settings.run_dir, name(RoleKind::kGate));
  const base::Fd file(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return fail_errno(path, errno);
  return {};
}

std::string first_line(const std::string& path) {
  const base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 32> text{};
  const ssize_t got = file ? ::read(file.get(), text.data(), text.size()) : 0;
  const std::string_view all(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  return std::string(all.substr(0, all.find('\n')));
}

base::Result<base::Fd> lock_for_supervisor(const config::Settings& settings, RoleKind role) {
  const std::string path = fmt::format("{}/{}.lock", settings.run_dir, name(role));
  auto lock = try_lock(path);
  if (!lock && lock.error().code == Errc::kTimeout) {
    return fail(Errc::kExists,
                fmt::format("another sandtrap (pid {}) already serves {}; stop it, or give this "
                            "one another data_dir and run_dir",
                            first_line(path), settings.data_dir));
  }
  if (lock) {
    const std::string pid = fmt::format("{}\n", ::getpid());
    const bool noted =
        ::ftruncate(lock->get(), 0) == 0 && ::write(lock->get(), pid.data(), pid.size()) > 0;
    if (!noted) return fail_errno(path, errno);
  }
  return lock;
}

base::Result<base::Fd> lock_for_processes(const config::Settings& settings, RoleKind role,
                                          base::Log& log) {
  const std::string path = fmt::format("{}/{}.process.lock", settings.run_dir, name(role));
  const auto give_up = std::chrono::steady_clock::now() + kFormerRoles;
  for (bool told = false;; told = true) {
    auto lock = try_lock(path);
    if (lock || lock.error().code != Errc::kTimeout) return lock;
    if (std::chrono::steady_clock::now() >= give_up) {
      return fail(Errc::kExists,
                  fmt::format("a {} of a former sandtrap still runs and does not end; "
                              "`fuser {}` shows it",
                              name(role), path));
    }
    if (!told) log.info("waiting for the {} of a former sandtrap to end", name(role));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace

base::Result<Account> find_account(const std::string& user) {
  unsigned number = 0;
  const char* end = user.data() + user.size();
  const auto [stop, error] = std::from_chars(user.data(), end, number);
  if (error == std::errc() && stop == end && number != 0) return Account{number, number};
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16 * 1024> buffer{};
  ::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return fail(Errc::kNotFound, fmt::format("there is no user {}", user));
  if (found->pw_uid == 0) return fail(Errc::kDenied, fmt::format("user {} is root", user));
  return Account{found->pw_uid, found->pw_gid};
}

base::Status make_folders(const config::Settings& settings, const std::vector<RoleKind>& roles) {
  const auto scribe = find_account(settings.server.scribe_user);
  if (!scribe) return base::wrap("server.scribe_user", scribe.error());
  const auto gate = find_account(settings.server.gate_user);
  if (!gate) return base::wrap("server.gate_user", gate.error());
  if (gate->uid == scribe->uid) {
    return fail(Errc::kInvalid, "server.gate_user and server.scribe_user are the same user");
  }
  if (is_gate_alone(roles) && is_folder(settings.run_dir)) return {};
  if (!is_gate_alone(roles)) {
    if (auto made = make_folder(settings.data_dir, 0, scribe->gid, 01770); !made) return made;
  }
  if (auto made = make_folder(settings.run_dir, 0, 0, 0711); !made) return made;
  if (auto made = make_gates_lock(settings); !made) return made;
  // What a gate without a mount namespace takes for its root; it may not be able to make it.
  return make_folder(settings.run_dir + "/empty", 0, 0, 0555);
}

base::Result<Locks> take_locks(const config::Settings& settings, const std::vector<RoleKind>& roles,
                               base::Log& log) {
  Locks locks;
  for (const RoleKind role : roles) {
    if (locks.roles.contains(role)) continue;
    if (is_gate_alone(roles) && is_read_only(settings.run_dir)) {
      if (auto lock = lock_of_a_reader(settings)) {
        locks.roles.emplace(role, std::move(*lock));
      } else {
        locks.roles.emplace(role, base::Fd());
        log.warn("{}; `sandtrap status` will not see this {}", lock.error().context, name(role));
      }
      continue;
    }
    auto own = lock_for_supervisor(settings, role);
    if (!own) return tl::unexpected(own.error());
    locks.own.push_back(std::move(*own));
    auto process = lock_for_processes(settings, role, log);
    if (!process) return tl::unexpected(process.error());
    locks.roles.emplace(role, std::move(*process));
  }
  return locks;
}

}  // namespace sandtrap::app
