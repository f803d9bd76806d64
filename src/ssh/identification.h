// The client's identification line, read as sshd reads it: byte by byte, then a scanf.
// (RFC 4253 §4.2; OpenSSH kex_exchange_identification.)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace sandtrap::ssh {

// Behaviour that OpenSSH keeps for particular clients, by their software name.
struct ClientQuirks {
  bool scanner = false;  // closed in silence before KEXINIT
  bool no_curve25519_libssh = false;
  bool no_group_exchange = false;
  bool no_hostkeys = false;             // never gets hostkeys-00@openssh.com
  bool openssh = false;                 // OpenSSH of 5 or later: gets eow@openssh.com
  bool old_rsa_signature_name = false;  // may name an RSA signature "ssh-rsa" whatever its hash
};
ClientQuirks client_quirks(std::string_view software);

class IdentificationReader {
 public:
  enum class State {
    kReading,
    kAccepted,
    kInvalid,   // "Invalid SSH identification string."
    kMismatch,  // "Protocol major versions differ."
  };

  explicit IdentificationReader(std::size_t max_length) : max_(max_length) {}

  // How many of these bytes belong to the line, its end or its offending byte included.
  std::size_t take(base::ByteView peeked) const;
  State feed(base::ByteView bytes);  // at most take() of them

  State state() const { return state_; }
  const std::string& line() const { return line_; }          // without CR LF
  const std::string& software() const { return software_; }  // behind "SSH-2.0-"

 private:
  struct Cursor {
    std::size_t length = 0;
    bool carriage_return = false;
  };
  enum class Step { kMore, kLineEnd, kBad };
  Step step(Cursor& cursor, std::uint8_t byte) const;
  void parse_line();

  std::size_t max_;
  Cursor cursor_;
  State state_ = State::kReading;
  std::string line_, software_;
};

// The error line that sshd sends in plain text for a final state, "" for the others.
std::string_view identification_error(IdentificationReader::State state);

}  // namespace sandtrap::ssh
