#include "warden/requests.h"

#include <signal.h>

#include <algorithm>

#include "base/source.h"
#include "warden/user_name.h"

namespace sandtrap::warden {
namespace {

constexpr std::size_t kMinHash = 20, kMaxHash = 64;  // SHA-1 … SHA-512
constexpr std::size_t kMaxPath = 512;
constexpr std::size_t kMaxEnvName = 128;

base::Status deny(const char* why) {
  return base::fail(base::Errc::kDenied, why);
}

bool is_hex(const std::string& text) {
  return text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool is_address(const std::string& text) {
  return !base::source_of(text, 128).empty();
}

bool is_hash(const base::Bytes& bytes) {
  return bytes.size() >= kMinHash && bytes.size() <= kMaxHash;
}

base::Status check(const ipc::SessionOpened& m) {
  const bool hassh = m.hassh.empty() || (m.hassh.size() == 32 && is_hex(m.hassh));
  if (!hassh) return deny("not a hassh");
  return is_address(m.source_ip) ? base::Status{} : deny("source is not an address");
}

base::Status check(const ipc::SessionResumed& m) {
  if (!is_address(m.source_ip)) return deny("source is not an address");
  if (m.authenticated && !is_possible_user(m.user)) return deny("impossible user");
  return {};
}

base::Status check(const ipc::Sign& m) {
  return is_hash(m.hash) ? base::Status{} : deny("not an exchange hash");
}

base::Status check(const ipc::Prove& m) {
  return is_hash(m.session_identifier) ? base::Status{} : deny("not a session identifier");
}

base::Status check(const ipc::OpenProcess& m) {
  return m.kind <= 2 ? base::Status{} : deny("unknown kind of program");
}

base::Status check(const ipc::RecordingNamed& m) {
  const std::string& path = m.path;
  const bool printable = std::all_of(path.begin(), path.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f;
  });
  if (path.empty() || path.size() > kMaxPath || path.front() == '/' || !printable ||
      path.find("..") != std::string::npos) {
    return deny("not a recording's path");
  }
  return {};
}

template <class M>
base::Status check(const M&) {
  return {};
}

std::string c_string(const std::string& text) {
  return text.substr(0, text.find('\0'));
}

bool is_env_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxEnvName) return false;
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return letter(name.front()) && std::all_of(name.begin(), name.end(), [&](char c) {
           return letter(c) || (c >= '0' && c <= '9');
         });
}

}  // namespace

base::Status check_request(const ipc::Message& message) {
  return std::visit([](const auto& m) { return check(m); }, message);
}

sandbox::ProcessSpec to_spec(const ipc::OpenProcess& request) {
  constexpr std::uint32_t kWinsizeMask = 0xffff;
  sandbox::ProcessSpec spec;
  spec.kind = static_cast<sandbox::ProcessKind>(std::min<std::uint8_t>(request.kind, 2));
  spec.command = c_string(request.command);
  if (request.has_pty) {
    sandbox::Terminal terminal;
    terminal.term = c_string(request.pty.term);
    terminal.columns = request.pty.columns & kWinsizeMask;
    terminal.rows = request.pty.rows & kWinsizeMask;
    terminal.width_px = request.pty.width_px & kWinsizeMask;
    terminal.height_px = request.pty.height_px & kWinsizeMask;
    terminal.modes = request.pty.modes;
    spec.terminal = std::move(terminal);
  }
  for (const auto& [name, value] : request.env) {
    if (is_env_name(name)) spec.env.emplace_back(name, c_string(value));
  }
  return spec;
}

std::optional<int> signal_number(std::string_view name) {
  struct Row {
    std::string_view name;
    int number;
  };
  static constexpr Row kSignals[] = {
      {"ABRT", SIGABRT}, {"ALRM", SIGALRM}, {"FPE", SIGFPE},   {"HUP", SIGHUP},   {"ILL", SIGILL},
      {"INT", SIGINT},   {"KILL", SIGKILL}, {"PIPE", SIGPIPE}, {"QUIT", SIGQUIT}, {"SEGV", SIGSEGV},
      {"TERM", SIGTERM}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2}};
  for (const Row& row : kSignals) {
    if (row.name == name) return row.number;
  }
  return std::nullopt;
}

}  // namespace sandtrap::warden
