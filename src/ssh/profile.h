// What one OpenSSH build says and does on the wire, as data. The engine holds no version "if".
// Filled from personas/*.yaml by config/persona.h. Values, shared read-only. RFC 4251-4254, OpenSSH
// PROTOCOL.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/instant.h"
#include "ssh/forwarding.h"

namespace sandtrap::ssh {

using NameList = std::vector<std::string>;

struct Modulus {  // a group for diffie-hellman-group-exchange, one line of /etc/ssh/moduli
  std::uint32_t bits = 0;
  base::Bytes generator, prime;  // big-endian magnitudes
};

struct Profile {
  std::string name;      // "debian-12"
  std::string software;  // identification after "SSH-2.0-", e.g. "OpenSSH_9.2p1 Debian-2+deb12u10"

  // KEXINIT, in the server's order. `kex` includes the pseudo-algorithms (kex-strict-s-v00@…).
  NameList kex, ciphers, macs, compression;
  NameList host_key_algorithms;  // filtered by the keys that exist
  std::vector<Modulus> moduli;   // see parse_moduli(); none: OpenSSH's fixed fallback groups

  // EXT_INFO entries (name, value) in order; sent after our NEWKEYS if the client asked.
  std::vector<std::pair<std::string, std::string>> ext_info;
  NameList accepted_user_key_algorithms;  // signature algorithms that may prove a user key

  // Transport
  // A second KEXINIT during a key exchange ends the connection in silence, as before the patch for
  // strict key exchange; else it is answered with UNIMPLEMENTED.
  bool repeated_kex_init_closes = false;
  // PING and PONG (192, 193; OpenSSH PROTOCOL §1.9). Such an sshd refuses no packet by its number
  // either: without it types from 192 on are "Invalid ssh2 packet type".
  bool ping = false;
  // A client's EXT_INFO is read while it logs in; one with ext-info-in-auth@openssh.com gets
  // server-sig-algs again, before the answer to its first request.
  bool ext_info_in_auth = false;

  // Authentication
  std::string auth_methods = "publickey,password";  // in every USERAUTH_FAILURE
  bool keyboard_interactive = false;                // offered and answered
  bool passwords = true;         // PasswordAuthentication; `auth_methods` must agree
  bool empty_passwords = false;  // PermitEmptyPasswords: "none" asks for an empty password
  std::uint32_t max_auth_tries = 6;
  bool none_is_immediate = false;  // "none" is answered without the failure delay (since 9.6)
  // A request that took longer is answered without the rounding of b*2^k; 0: none is (before 9.6).
  std::chrono::milliseconds longest_padded{0};
  std::chrono::milliseconds pam_delay_min{1000}, pam_delay_max{3000};  // before a wrong password
  bool pam_delay_by_clock = true;  // libpam before 1.6: by the second of the attempt, else random
  bool quantise_delays = true;     // b*2^k of OpenSSH; false makes fast failures for tests
  // From USERAUTH_SUCCESS to hostkeys-00@openssh.com: sshd forks and opens the PAM session.
  std::chrono::microseconds session_setup_min{10000}, session_setup_max{16000};

  // Told in a DEBUG message after the login, once for each time that the user's key was found in
  // ~/.ssh/authorized_keys; behind the path.
  std::string key_debug =
      ":1: key options: agent-forwarding port-forwarding pty user-rc x11-forwarding";

  // Connection layer
  std::uint32_t max_sessions = 10;
  std::uint32_t window = 2097152, max_packet = 32768;        // session channels, both directions
  std::uint32_t output_block = 32768;                        // largest CHANNEL_DATA we send
  std::vector<std::string> accepted_env = {"LANG", "LC_*"};  // trailing * is a wildcard
  // AllowTcpForwarding no: refuse direct-tcpip with reason 1 "open failed". Else the rules decide.
  bool no_port_forwarding = false;
  std::vector<ForwardRule> forward_rules;  // no rule: timed out
  ForwardTiming forward_timing;
  // Where a unix socket can be made, besides the user's home.
  NameList socket_folders = {"/tmp", "/var/tmp", "/dev/shm", "/run", "/var/run"};
  std::uint32_t max_channels = 500;  // sessions, listeners and connections under way
  // xauth(1) is installed: x11-req succeeds. Else sshd says that it is not.
  bool xauth = false;

  // How a session ends is a race in sshd: where the program's end comes right behind its output,
  // exit-status may overtake the EOF. Out of 1000 times, by what came in the last moment: nothing,
  // some output (of a terminal: apart), a lot of it.
  std::uint32_t status_first_quiet = 0, status_first_output = 0, status_first_bulk = 0;
  std::uint32_t status_first_terminal = 0;
  std::uint32_t bulk_output = 8192;  // bytes from which on it is a lot

  // Limits
  std::uint32_t max_packet_length = 262144;
  std::uint32_t max_identification = 8192;
  std::chrono::seconds login_grace{120};
  std::uint64_t rekey_packets = std::uint64_t{1} << 31;  // per direction
  std::uint64_t rekey_bytes = 0;                         // 0: OpenSSH's default for the cipher
};

}  // namespace sandtrap::ssh
