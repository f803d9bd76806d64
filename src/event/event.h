// The event vocabulary: one struct per event, values only. docs/events.md documents each field.
// One event is one line of events.jsonl; to_line() is the only encoder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/instant.h"

namespace sandtrap::event {

// Attacker-chosen strings are bytes: to_line() writes valid UTF-8 as it is and every invalid byte
// as U+DCxx's printable stand-in "\\xNN" with a sibling key "<name>_base64" holding the exact
// bytes.

struct Context {  // in every event; empty strings are left out
  base::WallTime time;
  std::string sensor;
  std::string session;  // 12 hex digits
  std::string case_id;
  std::string source_ip;
  std::uint16_t source_port = 0;
};

struct SensorStarted {
  std::string role, version, engine;
};  // sensor.started
struct SensorStopped {
  std::string role, reason;
};  // sensor.stopped
struct RoleRestarted {
  std::string role;
  std::string reason;
};  // role.restarted
struct ConnectionOpened {
  std::string local_ip;
  std::uint16_t local_port;
  std::optional<std::string> ja4t;  // of the client's SYN, where the kernel kept it
  std::optional<std::uint32_t> ttl = {};
  std::optional<std::string> syn_hex = {};  // IP and TCP headers
};                                          // connection.opened
struct ConnectionRefused {
  std::string reason;
  std::uint64_t count = 1;  // connections that this line stands for
};                          // connection.refused
struct ConnectionClosed {   // connection.closed
  std::string reason;
  bool by_peer;
  std::uint64_t bytes_in, bytes_out, duration_us;
  std::uint32_t auth_attempts, channels;
};
struct TrafficSeen {
  std::uint32_t window;
  std::string ja4ssh;
};  // connection.traffic
struct ClientVersion {
  std::string version;
  std::string software = {};  // without "SSH-2.0-" and comments
};                            // client.version
struct ClientKex {            // client.kex
  std::string hassh, hassh_algorithms;
  std::string kex, host_key, enc_c2s, enc_s2c, mac_c2s, mac_s2c, comp_c2s, comp_s2c, lang_c2s,
      lang_s2c;
};
struct KexCompleted {
  std::string kex, host_key, cipher_c2s, cipher_s2c, mac_c2s, mac_s2c;
  bool rekey;
};                     // kex.completed
struct LoginAttempt {  // login.failed / login.succeeded
  bool succeeded;
  std::string user, method;
  std::optional<std::string> password;
  std::optional<std::string> key_type, key_fingerprint, key_base64;
  std::optional<bool> key_proven;  // a signature was given and is right
  std::uint32_t number;
  std::string decided_by;      // rule that decided: "credentials", "accept_after_failures", …
  std::uint64_t after_ms = 0;  // since the previous request of the connection, or its start
};
struct KeyOffered {
  std::string user, key_type, key_fingerprint, key_base64;
  bool accepted;
  std::uint32_t number = 0;
  std::uint64_t after_ms = 0;
};  // login.key_offered
struct ChannelOpened {
  std::uint32_t channel;
};  // channel.opened
struct PtyRequested {
  std::uint32_t channel;
  std::string term;
  std::uint32_t columns, rows;
  std::string modes_hex;
};  // channel.pty
struct EnvRequested {
  std::uint32_t channel;
  std::string name, value;
  bool accepted;
};  // channel.env
struct ProgramRequested {
  std::uint32_t channel;
  std::string kind, command;
};  // channel.shell / channel.exec / channel.subsystem
struct ProgramStarted {
  std::uint32_t channel;
  std::string sandbox, recording;
  std::uint64_t wait_us;
};  // channel.started
struct ProgramRefused {
  std::uint32_t channel;
  std::string reason;
};  // channel.refused
struct ProgramExited {
  std::uint32_t channel;
  std::optional<std::uint32_t> status;
  std::optional<std::string> signal;
};  // channel.exited
struct WindowChanged {
  std::uint32_t channel;
  std::uint32_t columns, rows;
};  // channel.window_change
struct SignalSent {
  std::uint32_t channel;
  std::string name;
};  // channel.signal
struct ChannelRequestSeen {
  std::uint32_t channel;
  std::string type;
};  // channel.request
struct ChannelClosed {
  std::uint32_t channel;
  std::uint64_t bytes_in, bytes_out, bytes_err;
};  // channel.closed
struct ForwardAttempt {
  std::string kind, host;
  std::uint32_t port;
  std::string originator;
  bool allowed;
};  // forward.attempt
struct GlobalRequestSeen {
  std::string name;
};  // connection.global_request
struct SandboxReady {
  std::string sandbox, engine;
  std::uint64_t start_us;
};  // sandbox.ready
struct SandboxClaimed {
  std::string sandbox, engine;
  bool warm;
  bool returning;
  std::uint64_t wait_us;
};  // sandbox.claimed
struct SandboxReleased {
  std::string sandbox;
  std::uint64_t observe_s;
};  // sandbox.released (last session left)
struct CaseOpened {
  std::vector<std::string> keys;
};  // case.opened
struct CaseJoined {
  std::string from, by;
};  // case.joined: this session belongs to `case` from now on
struct SandboxFrozen {
  std::string sandbox, reason;
  std::uint64_t memory, freeze_us;
};  // sandbox.frozen
struct SandboxThawed {
  std::string sandbox;
  std::uint64_t thaw_us;
};  // sandbox.thawed
struct SandboxEvicted {
  std::string sandbox, state, reason;
};  // sandbox.evicted: it has to make room
struct SandboxRestored {
  std::string sandbox, engine;
  std::uint64_t restore_us;
};  // sandbox.restored
struct SandboxNotRestored {
  std::string sandbox, path, reason;
};                                    // sandbox.not_restored: the case gets a fresh one
struct SandboxPreserved {             // sandbox.preserved
  std::string sandbox, engine, path;  // directory, or image reference for docker
  std::uint64_t bytes;
  std::vector<std::string> sessions, recordings;
};
struct SandboxRemoved {
  std::string sandbox, reason;
};                   // sandbox.removed (destroyed or retention)
struct PoolStatus {  // pool.status
  std::string engine;
  bool failing;
  std::uint64_t warm, target, starting, total, waiting, arrivals_per_hour, start_ms;
  std::uint64_t started, failed, claimed, claimed_warm, refused, recycled;  // since the start
  std::vector<std::string> images;
};
struct RecordingFinished {  // recording.finished
  std::string path;         // relative to the data folder
  std::uint64_t size;
  std::string sha256;
  std::optional<std::string> sidecar_path, sidecar_sha256;
  std::optional<std::uint64_t> sidecar_size;
  std::uint32_t channel;
  std::string sandbox;
  bool complete;  // false: the writer died
};
struct RecordingRemoved {
  std::string path;
  std::uint64_t bytes;
  std::string reason;
};  // recording.removed
struct LogRotated {
  std::string path;  // relative to the data folder
  std::uint64_t size, original_size;
};  // log.rotated
struct LogRemoved {
  std::string path;
  std::uint64_t bytes;
  std::string reason;
};  // log.removed
struct DiskSpace {
  bool low;
  std::uint64_t free, least;
};  // disk.low / disk.enough
struct IpcDenied {
  std::string role, request, why;
};  // ipc.denied
struct ErrorRaised {
  std::string where, what;
};  // error

using Body =
    std::variant<SensorStarted, SensorStopped, RoleRestarted, ConnectionOpened, ConnectionRefused,
                 ConnectionClosed, TrafficSeen, ClientVersion, ClientKex, KexCompleted,
                 LoginAttempt, KeyOffered, ChannelOpened, PtyRequested, EnvRequested,
                 ProgramRequested, ProgramStarted, ProgramRefused, ProgramExited, WindowChanged,
                 SignalSent, ChannelRequestSeen, ChannelClosed, ForwardAttempt, GlobalRequestSeen,
                 SandboxReady, SandboxClaimed, SandboxReleased, CaseOpened, CaseJoined,
                 SandboxFrozen, SandboxThawed, SandboxEvicted, SandboxRestored, SandboxNotRestored,
                 SandboxPreserved, SandboxRemoved, PoolStatus, RecordingFinished, RecordingRemoved,
                 LogRotated, LogRemoved, DiskSpace, IpcDenied, ErrorRaised>;

std::string_view type_name(const Body& body);  // "connection.opened", …
// One JSON object with trailing '\n': {"time":…,"event":…,"sensor":…,"session":…,…}. Never fails.
std::string to_line(const Context& context, const Body& body);

}  // namespace sandtrap::event
