// One SSH server connection, sans I/O: bytes and time in, bytes and events out (RFC 4251-4254 as
// OpenSSH's sshd speaks them). Owned by one session, single-threaded, no clock, no socket.
//
//   receive(wire, now) / tick(now)  ->  next_event() until empty  ->  pending_output()/consumed(n)
//
// Decisions come back by the submit_*/channel methods below, each of which may append output.
//
//   kIdentification -> kKeyExchange -> kUserAuth -> kConnection -> kClosed
//                          ^  rekey at any later time runs beside the state  |
//
// Attacker errors never throw and never abort: they end in Closed with what sshd would have sent.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/entropy.h"
#include "base/instant.h"
#include "ssh/profile.h"

namespace sandtrap::ssh {

using base::Bytes;
using base::ByteView;
using base::Instant;
using ChannelId = std::uint32_t;  // our number of the channel: 0, 1, 2… lowest free, as sshd's

struct HostKey {     // the public half; the warden holds the private one
  std::string type;  // "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256"
  Bytes blob;        // RFC 4253 §6.6 public key blob
};

// ---- events: what the peer did ---------------------------------------------------------------
struct ClientVersion {
  std::string line;
};                      // identification without CR LF, as received
struct ClientKexInit {  // the first KEXINIT only; lists exactly as received
  std::string kex, host_key, enc_c2s, enc_s2c, mac_c2s, mac_s2c, comp_c2s, comp_s2c, lang_c2s,
      lang_s2c;
};
struct KexDone {  // after each completed key exchange
  std::string kex, host_key, cipher_c2s, cipher_s2c, mac_c2s, mac_s2c, comp_c2s, comp_s2c;
  bool first = true;
};
struct SignNeeded {  // answer with submit_signature(id, …)
  std::uint32_t id;
  std::size_t host_key;   // index into the host keys given to the constructor
  std::string algorithm;  // signature algorithm, e.g. "rsa-sha2-512"
  Bytes data;             // exchange hash H (RFC 4253 §8)
};
struct ProveNeeded {  // hostkeys-prove-00@openssh.com; answer with submit_proofs(id, …)
  std::uint32_t id;
  Bytes session_identifier;
  std::vector<std::pair<std::size_t, std::string>> keys;  // host key index, signature algorithm
};

struct PasswordCredential {
  std::string password;
};
struct KeyCredential {
  std::string algorithm;  // as the client named it
  Bytes blob;
  std::string fingerprint;  // "SHA256:…" as ssh-keygen -l prints it
  bool signed_request;      // false: a query ("would you take this key?")
  bool verified;            // signature present, algorithm acceptable and signature right
};
struct KeyboardInteractiveCredential {
  std::string submethods;
  std::vector<std::string> answers;
};
struct NoneCredential {};
struct OtherCredential {
  std::string method;
};
using Credential = std::variant<NoneCredential, PasswordCredential, KeyCredential,
                                KeyboardInteractiveCredential, OtherCredential>;
struct AuthAttempt {
  std::uint32_t id;  // answer with submit_auth(id, …) if needs_decision
  std::string user;  // ":style" already cut off
  std::string service;
  Credential credential;
  bool needs_decision;   // false: the engine answers by itself (unknown method, change request…)
  std::uint32_t number;  // 1 for the first request of the connection
};
struct Authenticated {
  std::string user, method;
};  // USERAUTH_SUCCESS has been queued

struct ChannelOpened {
  ChannelId channel;
};  // a session channel
struct PtyRequest {
  ChannelId channel;
  std::string term;
  std::uint32_t columns, rows, width_px, height_px;
  Bytes modes;  // encoded terminal modes, RFC 4254 §8, validated
};
struct EnvRequest {
  ChannelId channel;
  std::string name, value;
  bool accepted;
};
enum class ProgramKind { kShell, kExec, kSubsystem };
struct ProgramRequest {  // answer with submit_program(channel, started)
  ChannelId channel;
  ProgramKind kind;
  std::string command;  // exec: command line; subsystem: its name; shell: empty
};
struct WindowChange {
  ChannelId channel;
  std::uint32_t columns, rows, width_px, height_px;
};
struct SignalRequest {
  ChannelId channel;
  std::string name;
};  // short name, "TERM"
struct BreakRequest {
  ChannelId channel;
  std::uint32_t milliseconds;
};
struct AgentRequest {  // granted: programs find a socket in SSH_AUTH_SOCK
  ChannelId channel;
};
struct X11Request {  // granted: programs find DISPLAY
  ChannelId channel;
  std::uint32_t display, screen;
  bool single_connection;
  std::string protocol, cookie;
};
struct OtherChannelRequest {
  ChannelId channel;
  std::string type;
};  // refused or ignored
// Data for the program's stdin. `data` points into the engine and is valid until the next call of
// any method; the engine re-opens the window only after channel_consumed().
struct ChannelInput {
  ChannelId channel;
  ByteView data;
};
struct ChannelEof {  // no more input
  ChannelId channel;
  // The client takes no more output either, because it closed the whole channel or sent
  // eow@openssh.com: close the program's output, as sshd closes its ends of the pipes or the pty
  // (SIGPIPE or SIGHUP follows). May come after a plain one. The channel stays until
  // channel_exited().
  bool closed = false;
};
struct ChannelClosed {
  ChannelId channel;
};                       // both sides closed: the number may be used again
struct ForwardRequest {  // answered by the engine as the profile says
  std::string kind;      // "direct-tcpip", "tcpip-forward", "direct-streamlocal@openssh.com", …
  std::string host;      // or path
  std::uint32_t port;
  std::string originator;  // "ip:port" where given
  bool accepted;           // a success was answered, though nothing is ever forwarded
};
struct DirectOpened {  // a direct-tcpip to our own port: a channel that a server of our own serves
  ChannelId channel;
};
struct GlobalRequest {
  std::string name;
};                     // unknown ones, keepalives, no-more-sessions
struct Closed {        // last event; write pending_output(), then close the socket
  std::string reason;  // for the log: "client disconnect", "no common kex", …
  bool by_peer;
};
using Event =
    std::variant<ClientVersion, ClientKexInit, KexDone, SignNeeded, ProveNeeded, AuthAttempt,
                 Authenticated, ChannelOpened, PtyRequest, EnvRequest, ProgramRequest, WindowChange,
                 SignalRequest, BreakRequest, OtherChannelRequest, ChannelInput, ChannelEof,
                 ChannelClosed, ForwardRequest, DirectOpened, AgentRequest, X11Request,
                 GlobalRequest, Closed>;

struct ExitStatus {
  std::uint32_t code;
};
struct ExitSignal {
  std::string name;
  bool core_dumped;
};  // "TERM", or "SIG@openssh.com" outside the list
using Exit = std::variant<ExitStatus, ExitSignal>;
enum class Stream { kOutput, kError };  // CHANNEL_DATA / EXTENDED_DATA type 1

class Server {
 public:
  // `profile`, `keys` and `entropy` outlive the server. `delay_secret` seeds the per-user failure
  // delay (stable over restarts). The banner is queued at once.
  Server(const Profile& profile, const std::vector<HostKey>& keys, base::Entropy& entropy,
         std::uint64_t delay_secret, Instant now);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void set_clock(Instant now, base::WallTime wall);  // two readings of the same moment
  void set_local_port(std::uint16_t port);  // where the client reached us, before it logs in

  // While true, the caller peeks at the socket and takes only identification_take(peeked) bytes:
  // what lies behind the offending byte must stay in the kernel, so that close() sends the same
  // FIN or RST as sshd, which reads this line byte by byte.
  bool in_identification() const;
  std::size_t identification_take(ByteView peeked) const;

  // Zero-copy input: write at most size() bytes into input_space(), then call received(n).
  base::MutableByteView input_space(std::size_t hint);
  void received(std::size_t n, Instant now);
  void receive(ByteView wire, Instant now);  // copying form of the two
  void peer_eof(Instant now);                // the TCP half-close
  // False: leave the socket alone until the next submit_*, tick() or consumed(). The engine handles
  // one packet at a time as sshd does, so input waits while a reply is held or output is stuck.
  bool wants_input() const;
  void tick(Instant now);  // call when deadline() has passed
  std::optional<Instant> deadline() const;

  std::optional<Event> next_event();

  void submit_signature(std::uint32_t id, ByteView signature, Instant now);  // empty: failed, close
  void submit_proofs(std::uint32_t id, const std::vector<Bytes>& signatures);  // empty: FAILURE
  void submit_auth(std::uint32_t id, bool accepted, Instant now);  // for a key query: PK_OK

  // The program runs (adjust + success) or could not (failure).
  void submit_program(ChannelId channel, bool started);
  // Bytes the program may send now on the channel: min(peer window, output backlog allowance).
  std::size_t channel_room(ChannelId channel) const;
  // Takes up to channel_room() bytes; returns how many.
  std::size_t channel_output(ChannelId channel, Stream stream, ByteView data);
  void channel_consumed(ChannelId channel, std::size_t n);  // stdin bytes passed on or dropped
  // The program's output ended / the program ended. In any order; the engine sends EOF,
  // exit-status or exit-signal, eow@openssh.com and CLOSE as sshd orders them.
  // `recent`: how much output came in the last moment before it ended; sshd's order depends on it.
  void channel_output_eof(ChannelId channel, std::size_t recent = 0);
  void channel_exited(ChannelId channel, const Exit& exit);
  // The program stopped reading its stdin: further input is dropped (eow to OpenSSH clients).
  void channel_input_closed(ChannelId channel);
  // A real sshd whose shell could not be started: FAILURE text and close.
  void disconnect(std::string_view reason_text);  // DISCONNECT(2) then Closed

  // What one write should hold, for the segments on the wire to be sshd's. Only ever appended to;
  // more may follow when it was consumed.
  ByteView pending_output() const;
  void consumed(std::size_t n);     // pops its front
  bool session_started() const;     // a shell/exec/pty began: time for TCP_NODELAY
  std::size_t memory_used() const;  // bytes of buffers held, for limits and the bench

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sandtrap::ssh
