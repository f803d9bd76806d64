#include "sandbox/guest_login.h"

#include <fmt/format.h>

namespace sandtrap::sandbox {
namespace {

// One argument may have 128 KiB (MAX_ARG_STRLEN); a byte becomes three characters at most.
constexpr std::size_t kPiece = 40000;

std::string_view kind_name(ProcessKind kind) {
  switch (kind) {
    case ProcessKind::kShell:
      return "shell";
    case ProcessKind::kExec:
      return "exec";
    case ProcessKind::kSubsystem:
      return "subsystem";
  }
  return "shell";
}

bool has_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

}  // namespace

std::string guest_encode(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && byte != '%') {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02x}", byte);
    }
  }
  return out;
}

base::Result<std::vector<std::string>> guest_login_command(const ProcessSpec& spec) {
  if (has_nul(spec.user) || has_nul(spec.command)) {
    return base::fail(base::Errc::kInvalid, "a NUL byte in the user or the command");
  }
  std::vector<std::string> argv = {kGuestLogin, fmt::format("kind={}", kind_name(spec.kind)),
                                   "user=" + guest_encode(spec.user)};
  if (spec.terminal) {
    const Terminal& terminal = *spec.terminal;
    if (has_nul(terminal.term)) return base::fail(base::Errc::kInvalid, "a NUL byte in TERM");
    argv.push_back("term=" + guest_encode(terminal.term));
    argv.push_back(fmt::format("size={}x{}x{}x{}", terminal.columns, terminal.rows,
                               terminal.width_px, terminal.height_px));
    if (!terminal.modes.empty()) argv.push_back("modes=" + base::to_hex(terminal.modes));
  }
  for (const auto& [name, value] : spec.env) {
    const bool bad_name = name.empty() || name.find('=') != std::string::npos;
    if (bad_name || has_nul(name) || has_nul(value)) continue;
    argv.push_back("env=" + guest_encode(name) + "=" + guest_encode(value));
  }
  if (spec.kind != ProcessKind::kShell) {
    std::string_view left = spec.command;
    do {
      argv.push_back("command=" + guest_encode(left.substr(0, kPiece)));
      left.remove_prefix(std::min(kPiece, left.size()));
    } while (!left.empty());
  }
  return argv;
}

}  // namespace sandtrap::sandbox
