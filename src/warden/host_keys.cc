#include "warden/host_keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/fd.h"
#include "crypto/hash.h"
#include "crypto/secret.h"

namespace sandtrap::warden {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxKeyFile = 64 * 1024;
constexpr std::size_t kMaxKeys = 8;
constexpr std::string_view kProve = "hostkeys-prove-00@openssh.com";

base::Result<crypto::Secret> read_key(const std::string& path) {
  const base::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return base::fail_errno("host key " + path, errno);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return base::fail_errno("host key " + path, errno);
  if (!S_ISREG(st.st_mode) || st.st_uid != ::geteuid() || (st.st_mode & 077) != 0) {
    return base::fail(base::Errc::kDenied,
                      "host key " + path + ": must be a file of ours with mode 0600");
  }
  if (st.st_size <= 0 || static_cast<std::size_t>(st.st_size) > kMaxKeyFile) {
    return base::fail(base::Errc::kInvalid, "host key " + path + ": not a key");
  }
  crypto::Secret text(static_cast<std::size_t>(st.st_size));
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::read(fd.get(), text.writable().data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return base::fail(base::Errc::kIo, "host key " + path + ": read failed");
    done += static_cast<std::size_t>(n);
  }
  return text;
}

base::Status write_key(const std::string& path, base::ByteView text, mode_t mode) {
  const base::Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd) return base::fail_errno("create " + path, errno);
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::write(fd.get(), text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return base::fail_errno("write " + path, errno);
    done += static_cast<std::size_t>(n);
  }
  if (::fsync(fd.get()) != 0) return base::fail_errno("fsync " + path, errno);
  return {};
}

base::Status generate(const std::string& directory, base::Log& log) {
  using crypto::HostKeyKind;
  static constexpr std::pair<HostKeyKind, const char*> kDefaults[] = {
      {HostKeyKind::kRsa3072, "rsa"},
      {HostKeyKind::kEcdsaP256, "ecdsa"},
      {HostKeyKind::kEd25519, "ed25519"}};
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return base::fail_errno("create " + directory, error.value());
  ::chmod(directory.c_str(), 0700);
  for (const auto& [kind, name] : kDefaults) {
    const std::string path = directory + "/ssh_host_" + name + "_key";
    auto key = crypto::PrivateHostKey::generate(kind);
    if (!key) return base::wrap("generate " + path, key.error());
    auto text = key->openssh_text("root@localhost");
    if (!text) return base::wrap("generate " + path, text.error());
    if (auto ok = write_key(path, text->view(), 0600); !ok) return ok;
    const std::string line = key->public_line("root@localhost") + "\n";
    if (auto ok = write_key(path + ".pub", base::as_bytes(line), 0644); !ok) return ok;
  }
  log.info("made host keys in {}", directory);
  return {};
}

std::vector<std::string> key_files(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  fs::directory_iterator it(directory, error);
  for (; !error && it != fs::directory_iterator() && files.size() < kMaxKeys; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with("ssh_host_") && name.ends_with("_key")) files.push_back(it->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

int order_of(const std::string& type) {
  if (type == "ssh-rsa") return 0;
  return type.starts_with("ecdsa-") ? 1 : 2;
}

}  // namespace

bool algorithm_fits(std::string_view type, std::string_view algorithm) {
  if (type != "ssh-rsa") return type == algorithm;
  return algorithm == "ssh-rsa" || algorithm == "rsa-sha2-256" || algorithm == "rsa-sha2-512";
}

base::Result<HostKeys> HostKeys::load(const std::string& directory, std::string_view salt,
                                      base::Log& log) {
  std::vector<std::string> files = key_files(directory);
  if (files.empty()) {
    if (auto made = generate(directory, log); !made) return tl::unexpected(made.error());
    files = key_files(directory);
  }
  HostKeys out;
  crypto::Hash secret(crypto::HashName::kSha512);
  secret.update_string(base::as_bytes(salt));
  // Without the salt: other listening addresses do not make attackers strangers.
  crypto::Hash policy(crypto::HashName::kSha512);
  policy.update_string(base::as_bytes("login policy"));
  for (const std::string& path : files) {
    auto text = read_key(path);
    if (!text) return tl::unexpected(text.error());
    auto key = crypto::PrivateHostKey::parse(base::as_text(text->view()));
    if (!key) return base::wrap("host key " + path, key.error());
    for (const crypto::PrivateHostKey& other : out.keys_) {
      if (other.type() == key->type()) {
        return base::fail(base::Errc::kInvalid, "host key " + path + ": a second " + key->type());
      }
    }
    secret.update_string(text->view());
    policy.update_string(text->view());
    out.keys_.push_back(std::move(*key));
  }
  if (out.keys_.empty()) return base::fail(base::Errc::kNotFound, "no host key in " + directory);
  std::stable_sort(out.keys_.begin(), out.keys_.end(), [](const auto& a, const auto& b) {
    return order_of(a.type()) < order_of(b.type());
  });
  const crypto::Digest digest = secret.finish();
  std::memcpy(&out.delay_secret_, digest.bytes.data(), sizeof out.delay_secret_);
  const crypto::Digest kept = policy.finish();
  std::memcpy(&out.policy_secret_, kept.bytes.data(), sizeof out.policy_secret_);
  return out;
}

std::vector<std::pair<std::string, base::Bytes>> HostKeys::public_keys() const {
  std::vector<std::pair<std::string, base::Bytes>> out;
  for (const crypto::PrivateHostKey& key : keys_) out.emplace_back(key.type(), key.public_blob());
  return out;
}

base::Result<base::Bytes> HostKeys::sign(std::uint32_t key, std::string_view algorithm,
                                         base::ByteView hash) const {
  if (key >= keys_.size()) return base::fail(base::Errc::kDenied, "no such host key");
  if (!algorithm_fits(keys_[key].type(), algorithm)) {
    return base::fail(base::Errc::kDenied, "not an algorithm of this host key");
  }
  return keys_[key].sign(algorithm, hash);
}

base::Result<std::vector<base::Bytes>> HostKeys::prove(
    base::ByteView session_identifier,
    const std::vector<std::pair<std::uint32_t, std::string>>& keys) const {
  const auto append_string = [](base::Bytes& out, base::ByteView text) {
    const auto size = static_cast<std::uint32_t>(text.size());
    for (int shift = 24; shift >= 0; shift -= 8) {
      out.push_back(static_cast<std::uint8_t>(size >> shift));
    }
    base::append(out, text);
  };
  std::vector<base::Bytes> out;
  for (const auto& [index, algorithm] : keys) {
    if (index >= keys_.size()) return base::fail(base::Errc::kDenied, "no such host key");
    base::Bytes data;
    append_string(data, base::as_bytes(kProve));
    append_string(data, session_identifier);
    append_string(data, keys_[index].public_blob());
    auto signature = sign(index, algorithm, data);
    if (!signature) return tl::unexpected(signature.error());
    out.push_back(std::move(*signature));
  }
  return out;
}

}  // namespace sandtrap::warden
