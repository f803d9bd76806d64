#include "scribe/confine.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <utility>
#include <vector>

namespace sandtrap::scribe {
namespace {

base::Result<std::pair<uid_t, gid_t>> resolve(const std::string& user) {
  uid_t number = 0;
  const char* end = user.data() + user.size();
  const auto parsed = std::from_chars(user.data(), end, number);
  if (parsed.ec == std::errc() && parsed.ptr == end && number != 0) {
    return std::pair<uid_t, gid_t>(number, number);
  }
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(16 * 1024);
  const int err = ::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (err != 0) return base::fail_errno("look up user " + user, err);
  if (found == nullptr) return base::fail(base::Errc::kNotFound, "no such user: " + user);
  if (entry.pw_uid == 0) return base::fail(base::Errc::kInvalid, "the scribe must not be root");
  return std::pair<uid_t, gid_t>(entry.pw_uid, entry.pw_gid);
}

}  // namespace

base::Status drop_privileges(const std::string& user) {
  ::umask(027);
  if (::geteuid() == 0) {
    const auto ids = resolve(user);
    if (!ids) return tl::unexpected(ids.error());
    const auto [uid, gid] = *ids;
    if (::setgroups(0, nullptr) != 0) return base::fail_errno("setgroups", errno);
    if (::setresgid(gid, gid, gid) != 0) return base::fail_errno("setresgid", errno);
    // Leaving uid 0 clears every capability set but the bounding one, which no_new_privs voids.
    if (::setresuid(uid, uid, uid) != 0) return base::fail_errno("setresuid", errno);
    if (::setuid(0) == 0) return base::fail(base::Errc::kInvalid, "root came back");
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return base::fail_errno("no_new_privs", errno);
  return {};
}

}  // namespace sandtrap::scribe
