#include "sandbox/guest_login.h"

#include <fmt/format.h>

#include <algorithm>

namespace sandtrap::sandbox {
namespace {

constexpr std::size_t kMaxShort = 512;
constexpr std::size_t kChunk = 100 * 1024;  // one argument of execve is limited to 128 KiB

std::string encode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '%') {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02x}", byte);
    }
  }
  return out;
}

bool valid_user(std::string_view user) {
  if (user.empty() || user.size() > 32) return false;
  const auto lower = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  const auto later = [&](char c) {
    return lower(c) || (c >= '0' && c <= '9') || c == '.' || c == '-';
  };
  return lower(user.front()) && std::all_of(user.begin(), user.end(), later);
}

base::Status check(const ProcessSpec& spec) {
  using base::Errc;
  if (!valid_user(spec.user)) return base::fail(Errc::kInvalid, "login: user name");
  if (spec.kind == ProcessKind::kSubsystem && spec.command != "sftp")
    return base::fail(Errc::kNotFound, "login: unknown subsystem");
  if (spec.command.size() > kMaxCommand) return base::fail(Errc::kLimit, "login: command too long");
  if (spec.command.find('\0') != std::string::npos)
    return base::fail(Errc::kInvalid, "login: NUL in the command");
  std::size_t bytes = 0;
  for (const auto& [name, value] : spec.env) {
    bytes += name.size() + value.size();
    if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != std::string::npos ||
        value.find('\0') != std::string::npos)
      return base::fail(Errc::kInvalid, "login: environment variable");
  }
  if (bytes > kMaxEnvironmentBytes) return base::fail(Errc::kLimit, "login: environment too large");
  if (spec.terminal && (spec.terminal->term.find('\0') != std::string::npos ||
                        spec.terminal->term.size() > 256 || spec.terminal->modes.size() > 4096))
    return base::fail(Errc::kInvalid, "login: terminal");
  for (const std::string* text : {&spec.password_hash, &spec.client})
    if (text->size() > kMaxShort || text->find('\0') != std::string::npos)
      return base::fail(Errc::kInvalid, "login: password hash or client");
  return {};
}

}  // namespace

base::Result<std::vector<std::string>> guest_login_arguments(const ProcessSpec& spec) {
  if (auto good = check(spec); !good) return tl::unexpected(good.error());
  std::vector<std::string> out{std::string(kGuestLogin)};
  constexpr const char* kKinds[] = {"kind=shell", "kind=exec", "kind=subsystem",
                                    "kind=check-password", "kind=check-key"};
  out.emplace_back(kKinds[static_cast<std::size_t>(spec.kind)]);
  out.push_back("user=" + spec.user);
  if (spec.terminal) {
    const Terminal& t = *spec.terminal;
    out.push_back("term=" + encode(t.term));
    out.push_back(fmt::format("size={}x{}x{}x{}", t.columns, t.rows, t.width_px, t.height_px));
    if (!t.modes.empty()) out.push_back("modes=" + base::to_hex(t.modes));
  }
  for (const auto& [name, value] : spec.env) out.push_back("env=" + encode(name + "=" + value));
  if (!spec.password_hash.empty()) out.push_back("hash=" + encode(spec.password_hash));
  if (!spec.client.empty()) out.push_back("client=" + encode(spec.client));
  if (spec.kind != ProcessKind::kExec && spec.kind != ProcessKind::kSubsystem) return out;
  const std::string command = encode(spec.command);
  for (std::size_t at = 0;;) {
    std::size_t length = std::min(kChunk, command.size() - at);
    // Never cut through a %XX.
    for (std::size_t back = 1; back <= 2 && at + length < command.size() && back <= length; ++back)
      if (command[at + length - back] == '%') length -= back;
    out.push_back("command=" + command.substr(at, length));
    at += length;
    if (at >= command.size()) return out;
  }
}

}  // namespace sandtrap::sandbox
