// The messages between roles: plain structs, one codec, one or more in a SOCK_SEQPACKET packet,
// descriptors beside a single one (SCM_RIGHTS). Which message is allowed when: ipc/permissions.h. A
// peer that sends anything else is treated as compromised.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace sandtrap::ipc {

using SessionId = std::string;  // exactly 12 lower-case hex digits, checked by the codec

inline constexpr std::size_t kMaxMessage = 192 * 1024;  // bytes on the wire
inline constexpr std::size_t kMaxShort = 1024;          // user names, terms, algorithm names
inline constexpr std::size_t kMaxCommand = 131072;      // Linux's MAX_ARG_STRLEN
inline constexpr std::size_t kMaxDescriptors = 16;
inline constexpr std::size_t kMaxEnv = 64;
inline constexpr std::size_t kMaxEnvBytes = 48 * 1024;  // of all names and values
inline constexpr std::size_t kMaxModes = 8192;          // 256 opcodes take 1280
// With these an OpenProcess is a message, whatever the client sent.
static_assert(kMaxCommand + kMaxEnvBytes + kMaxModes + kMaxShort + 2048 <= kMaxMessage);

// ---- gate -> warden
struct SessionOpened {
  SessionId session;
  std::string source_ip;
  std::uint16_t source_port = 0;
  std::string local_ip;
  std::uint16_t local_port = 0;
  std::string hassh = {};  // 32 hex digits; empty: not known yet
};
struct SessionResumed {
  SessionId session;
  std::string source_ip, user;
  std::uint16_t source_port = 0;
  bool authenticated = false;
  std::vector<std::uint32_t> channels;
};  // to a new warden
struct Sign {
  SessionId session;
  std::uint32_t request = 0;
  std::uint32_t key = 0;
  std::string algorithm;
  base::Bytes hash;
};  // exchange hash, 20..64 bytes
struct Prove {
  SessionId session;
  std::uint32_t request = 0;
  base::Bytes session_identifier;
  std::vector<std::pair<std::uint32_t, std::string>> keys;
};
struct Authenticate {
  SessionId session;
  std::uint32_t request = 0;
  std::string user, method, secret;
  std::string key_type, key_fingerprint;
  base::Bytes key_blob;
  bool key_proven = false;
};
struct Pty {
  std::string term;
  std::uint32_t columns = 80, rows = 24, width_px = 0, height_px = 0;
  base::Bytes modes;
};
struct OpenProcess {
  SessionId session;
  std::uint32_t channel = 0;
  std::uint8_t kind = 0;  // 0 shell 1 exec 2 subsystem
  std::string command;
  bool has_pty = false;
  Pty pty;
  std::vector<std::pair<std::string, std::string>> env;
};
struct ResizeProcess {
  SessionId session;
  std::uint32_t channel = 0, columns = 0, rows = 0, width_px = 0, height_px = 0;
};
struct SignalProcess {
  SessionId session;
  std::uint32_t channel = 0;
  std::string name;
};
struct CloseProcess {
  SessionId session;
  std::uint32_t channel = 0;
};  // hang up
struct RecordingNamed {
  SessionId session;
  std::uint32_t channel = 0;
  std::string path;
};  // for the labels
struct SessionClosed {
  SessionId session;
};

// ---- warden -> gate
struct Welcome {
  std::vector<std::pair<std::string, base::Bytes>> host_keys;  // type, public blob
  std::uint64_t delay_secret = 0;
};
struct CaseAssigned {
  SessionId session;
  std::string case_id;
};  // answer to SessionOpened
struct Signed {
  SessionId session;
  std::uint32_t request = 0;
  std::vector<base::Bytes> signatures;
};  // empty: refused
struct AuthDecision {
  SessionId session;
  std::uint32_t request = 0;
  bool accepted = false;
  std::string decided_by;
};
struct ProcessOpened {
  SessionId session;
  std::uint32_t channel = 0;
  std::string sandbox;
  bool duplex = false;
  bool multiplexed = false;
  base::Bytes early_output;
};  // + descriptors
struct ProcessRefused {
  SessionId session;
  std::uint32_t channel = 0;
  std::string reason;
};
struct ProcessExited {
  SessionId session;
  std::uint32_t channel = 0;
  std::uint8_t kind = 0;  // 0 status 1 signal 2 unknown
  std::uint32_t value = 0;
  bool core_dumped = false;
};
struct EndSession {
  SessionId session;
  std::string reason;
};

// ---- gate, warden -> scribe
struct OpenEventLog {};
struct OpenRecording {
  SessionId session;
  std::uint32_t channel = 0;
  std::string case_id, sandbox, source_ip;
  std::uint16_t source_port = 0;
};
struct FinishRecording {
  std::string path;
};
struct RecordingGrew {  // by some megabytes since the last one
  std::string path;
};
// ---- scribe -> gate, warden
struct EventLogOpened {};  // + events.jsonl
struct RecordingOpened {
  SessionId session;
  std::uint32_t channel = 0;
  std::string path;
};  // + .cast, .bin
struct RecordingRefused {
  SessionId session;
  std::uint32_t channel = 0;
  std::string reason;
};

// ---- supervisor <-> role (control socket)
struct PeerConnected {
  std::string role;
};                           // supervisor -> role; + a socket to that role's newest process
struct ListeningSockets {};  // supervisor -> gate, before anything else; + bound TCP sockets
struct Drain {
  std::uint32_t grace_seconds = 0;
};
struct Reload {};  // settings text follows as a memfd
struct RoleReady {
  std::string detail;
};  // role -> supervisor
struct ReloadResult {
  std::string applied, needs_restart;
};
struct RoleDrained {};
struct GateDenied {};  // warden, scribe -> supervisor: a gate broke the rules and lost its link

using Message =
    std::variant<SessionOpened, SessionResumed, Sign, Prove, Authenticate, OpenProcess,
                 ResizeProcess, SignalProcess, CloseProcess, RecordingNamed, SessionClosed, Welcome,
                 CaseAssigned, Signed, AuthDecision, ProcessOpened, ProcessRefused, ProcessExited,
                 EndSession, OpenEventLog, OpenRecording, FinishRecording, EventLogOpened,
                 RecordingOpened, RecordingRefused, PeerConnected, ListeningSockets, Drain, Reload,
                 RoleReady, ReloadResult, RoleDrained, GateDenied, RecordingGrew>;

std::string_view name(const Message& message);  // "Sign"
base::Bytes encode(const Message& message);
// Checks every length against its maximum, session ids, and that nothing trails.
base::Result<Message> decode(base::ByteView message);

// A packet is a row of messages, each behind its length (u32, little-endian).
inline constexpr std::size_t kMessageHead = 4;
inline constexpr std::size_t kMaxPacket = kMessageHead + kMaxMessage;
void append_message(base::Bytes& packet, const Message& message);
// The first message of a packet that is not empty, cut off its front.
base::Result<Message> take_message(base::ByteView& packet);

}  // namespace sandtrap::ipc
