#include "app/host_keys.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "base/fd.h"
#include "crypto/host_key.h"

namespace sandtrap::app {
namespace {

struct KeyFile {
  const char* persona_name;
  crypto::HostKeyKind kind;
  const char* name;
};
constexpr std::array<KeyFile, 3> kFiles = {
    {{"rsa-3072", crypto::HostKeyKind::kRsa3072, "ssh_host_rsa_key"},
     {"ecdsa-p256", crypto::HostKeyKind::kEcdsaP256, "ssh_host_ecdsa_key"},
     {"ed25519", crypto::HostKeyKind::kEd25519, "ssh_host_ed25519_key"}}};

bool exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

// Whole or not at all: a power cut must not leave half a key that stops every later start.
base::Status write_file(const std::string& path, base::ByteView bytes, mode_t mode) {
  const std::string temporary = path + ".new";
  ::unlink(temporary.c_str());
  const base::Fd file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!file) return base::fail_errno(temporary, errno);
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::fail_errno(temporary, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  if (::fchmod(file.get(), mode) != 0 || ::fsync(file.get()) != 0 ||
      ::rename(temporary.c_str(), path.c_str()) != 0) {
    return base::fail_errno(path, errno);
  }
  return {};
}

base::Status make_key(const std::string& path, crypto::HostKeyKind kind) {
  const auto key = crypto::PrivateHostKey::generate(kind);
  if (!key) return tl::unexpected(key.error());
  const std::string comment = "root@debian";  // what a stock install's keys end in, more or less
  const auto text = key->openssh_text(comment);
  if (!text) return tl::unexpected(text.error());
  // The public half first: a private key on disk always has its .pub.
  const std::string line = key->public_line(comment) + "\n";
  if (auto written = write_file(path + ".pub", base::as_bytes(line), 0644); !written) {
    return written;
  }
  return write_file(path, text->view(), 0600);
}

}  // namespace

std::vector<std::string> existing_host_keys(const std::string& folder) {
  std::vector<std::string> found;
  for (const KeyFile& file : kFiles) {
    std::string path = fmt::format("{}/{}", folder, file.name);
    if (exists(path)) found.push_back(std::move(path));
  }
  return found;
}

base::Result<std::vector<std::string>> make_host_keys(const std::string& folder, KeyFiles mode,
                                                      const std::vector<std::string>& kinds) {
  std::error_code error;
  const bool made = std::filesystem::create_directories(folder, error);
  if (error) {
    return base::fail(base::Errc::kIo, fmt::format("create {}: {}", folder, error.message()));
  }
  if (made && ::chmod(folder.c_str(), 0700) != 0) return base::fail_errno(folder, errno);
  std::vector<std::string> written;
  for (const KeyFile& file : kFiles) {
    if (std::find(kinds.begin(), kinds.end(), file.persona_name) == kinds.end()) continue;
    std::string path = fmt::format("{}/{}", folder, file.name);
    if (mode == KeyFiles::kKeepExisting && exists(path)) continue;
    if (const auto done = make_key(path, file.kind); !done) {
      return base::wrap("host key", done.error());
    }
    written.push_back(std::move(path));
  }
  return written;
}

}  // namespace sandtrap::app
