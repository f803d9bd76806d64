#include "ssh/identification.h"

#include <cctype>
#include <optional>

namespace sandtrap::ssh {
namespace {

// scanf's %d: blanks, a sign, digits. glibc converts through a clamped long and keeps its low half,
// so 4294967298 reads as 2.
std::optional<int> scan_int(std::string_view& text) {
  std::size_t i = 0;
  while (i < text.size() && std::isspace(static_cast<unsigned char>(text[i])) != 0) ++i;
  const bool negative = i < text.size() && text[i] == '-';
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
  const std::size_t digits = i;
  constexpr std::uint64_t kMax = INT64_MAX;
  std::uint64_t value = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
    const auto digit = static_cast<std::uint64_t>(text[i] - '0');
    value = value > (kMax - digit) / 10 ? kMax : value * 10 + digit;
  }
  if (i == digits) return std::nullopt;
  text.remove_prefix(i);
  const auto low = static_cast<std::uint32_t>(negative ? std::uint64_t{0} - value : value);
  return static_cast<int>(low);
}

bool skip(std::string_view& text, std::string_view literal) {
  if (!text.starts_with(literal)) return false;
  text.remove_prefix(literal.size());
  return true;
}

// Shell pattern with * and ?.
bool glob(std::string_view pattern, std::string_view text) {
  while (!pattern.empty()) {
    if (pattern.front() == '*') {
      while (!pattern.empty() && pattern.front() == '*') pattern.remove_prefix(1);
      if (pattern.empty()) return true;
      for (std::size_t i = 0; i <= text.size(); ++i) {
        if (glob(pattern, text.substr(i))) return true;
      }
      return false;
    }
    if (text.empty() || (pattern.front() != '?' && pattern.front() != text.front())) return false;
    pattern.remove_prefix(1);
    text.remove_prefix(1);
  }
  return text.empty();
}

struct QuirkRow {
  std::string_view patterns;  // comma-separated
  ClientQuirks quirks;
};

// First match wins, as in OpenSSH's own table.
constexpr QuirkRow kQuirks[] = {
    {"OpenSSH_2*,OpenSSH_3*,OpenSSH_4*", {.old_rsa_signature_name = true}},
    {"OpenSSH_5*", {.openssh = true, .old_rsa_signature_name = true}},
    {"OpenSSH_6.6.1*", {.openssh = true, .old_rsa_signature_name = true}},
    {"OpenSSH_6.5*,OpenSSH_6.6*",
     {.no_curve25519_libssh = true, .openssh = true, .old_rsa_signature_name = true}},
    {"OpenSSH_7.0*,OpenSSH_7.1*,OpenSSH_7.2*,OpenSSH_7.3*,OpenSSH_7.4*,OpenSSH_7.5*,OpenSSH_7.6*,"
     "OpenSSH_7.7*",
     {.openssh = true, .old_rsa_signature_name = true}},
    {"OpenSSH*", {.openssh = true}},
    {"Cisco-1.*", {.no_hostkeys = true}},
    {"*SSH_Version_Mapper*", {.scanner = true}},
    {"PuTTY_Local:*,PuTTY-Release-0.5*,PuTTY_Release_0.5*,PuTTY_Release_0.60*,PuTTY_Release_0.61*,"
     "PuTTY_Release_0.62*,PuTTY_Release_0.63*,PuTTY_Release_0.64*",
     {.no_group_exchange = true}},
    {"FuTTY*", {.no_group_exchange = true}},
    {"Probe-*", {.scanner = true}},
    {"TeraTerm SSH*,TTSSH/1.5.*,TTSSH/2.1*,TTSSH/2.2*,TTSSH/2.3*,TTSSH/2.4*,TTSSH/2.5*,TTSSH/2.6*,"
     "TTSSH/2.70*",
     {.no_hostkeys = true}},
    {"WinSCP_release_4*,WinSCP_release_5.0*,WinSCP_release_5.1,WinSCP_release_5.1.*,"
     "WinSCP_release_5.5*,WinSCP_release_5.6*,WinSCP_release_5.7,WinSCP_release_5.7.1,"
     "WinSCP_release_5.7.2,WinSCP_release_5.7.3,WinSCP_release_5.7.4",
     {.no_group_exchange = true}},
};

}  // namespace

ClientQuirks client_quirks(std::string_view software) {
  for (const QuirkRow& row : kQuirks) {
    std::string_view rest = row.patterns;
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      if (glob(rest.substr(0, comma), software)) return row.quirks;
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }
  return {};
}

IdentificationReader::Step IdentificationReader::step(Cursor& cursor, std::uint8_t byte) const {
  if (byte == '\r') {
    cursor.carriage_return = true;
    return Step::kMore;
  }
  if (byte == '\n') return Step::kLineEnd;
  if (byte == 0 || cursor.carriage_return) return Step::kBad;
  return ++cursor.length > max_ ? Step::kBad : Step::kMore;
}

std::size_t IdentificationReader::take(base::ByteView peeked) const {
  if (state_ != State::kReading) return 0;
  Cursor cursor = cursor_;
  for (std::size_t i = 0; i < peeked.size(); ++i) {
    if (step(cursor, peeked[i]) != Step::kMore) return i + 1;
  }
  return peeked.size();
}

IdentificationReader::State IdentificationReader::feed(base::ByteView bytes) {
  for (const std::uint8_t b : bytes) {
    if (state_ != State::kReading) break;
    switch (step(cursor_, b)) {
      case Step::kMore:
        if (b != '\r') line_.push_back(static_cast<char>(b));
        break;
      case Step::kBad:
        state_ = State::kInvalid;
        break;
      case Step::kLineEnd:
        parse_line();
        break;
    }
  }
  return state_;
}

// sscanf(line, "SSH-%d.%d-%[^\n]"): all three fields have to be there.
void IdentificationReader::parse_line() {
  state_ = State::kInvalid;
  std::string_view rest = line_;
  if (!skip(rest, "SSH-")) return;
  const std::optional<int> major = scan_int(rest);
  if (!major || !skip(rest, ".")) return;
  const std::optional<int> minor = scan_int(rest);
  if (!minor || !skip(rest, "-") || rest.empty()) return;
  software_ = rest;
  const bool version_two = *major == 2 || (*major == 1 && *minor == 99);
  state_ = version_two ? State::kAccepted : State::kMismatch;
}

std::string_view identification_error(IdentificationReader::State state) {
  switch (state) {
    case IdentificationReader::State::kInvalid:
      return "Invalid SSH identification string.\r\n";
    case IdentificationReader::State::kMismatch:
      return "Protocol major versions differ.\r\n";
    default:
      return "";
  }
}

}  // namespace sandtrap::ssh
