// RFC 4253 as sshd speaks it: identification, binary packets, key exchange, rekeying. Sans I/O.
// Server (ssh/server.h) owns one and layers authentication and channels on top of it.
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
#include "ssh/server.h"

namespace sandtrap::ssh {

// A decrypted packet for the layers above: types the transport does not handle itself (all but
// 1-4, 20-49 while they are its own). `payload` starts with the type byte and is valid until the
// next call of any method.
struct Packet {
  std::uint32_t sequence;
  ByteView payload;
};
using TransportEvent =
    std::variant<Packet, ClientVersion, ClientKexInit, KexDone, SignNeeded, Closed>;

// Where the upper layers put packets. Implemented by Transport; a recorder in their unit tests.
class PacketSink {
 public:
  virtual ~PacketSink() = default;
  // `payload` starts with the type byte. Held back while a key exchange runs (RFC 4253 §7.1).
  virtual void send(ByteView payload) = 0;
  // CHANNEL_DATA-like fast path: `head` and `body` form one payload, encrypted without an
  // intermediate copy.
  virtual void send(ByteView head, ByteView body) = 0;
  virtual void unimplemented(std::uint32_t sequence) = 0;  // SSH_MSG_UNIMPLEMENTED
  virtual void disconnect(std::string_view text,
                          std::string_view log_reason) = 0;      // DISCONNECT(2), flushed, close
  virtual void close_silently(std::string_view log_reason) = 0;  // TCP close, no bytes
  virtual void first_auth_request() {}  // the first USERAUTH_REQUEST is about to be answered
};

class Transport final : public PacketSink {
 public:
  Transport(const Profile& profile, const std::vector<HostKey>& keys, base::Entropy& entropy,
            Instant now);
  ~Transport() override;

  bool in_identification() const;
  std::size_t identification_take(ByteView peeked) const;
  // Empty while wants_input() is false. Drain next_event() between two reads: then what is buffered
  // never exceeds one packet of the largest size and one read.
  base::MutableByteView input_space(std::size_t hint);
  // False while a signature is awaited or the peer does not take its output: leave the socket alone
  // until submit_signature() or consumed().
  bool wants_input() const;
  void received(std::size_t n, Instant now);
  void peer_eof(Instant now);
  void tick(Instant now);
  std::optional<Instant> deadline() const;     // login grace (until set_authenticated), rekey
  std::optional<TransportEvent> next_event();  // processes buffered input one packet at a time

  void submit_signature(std::uint32_t id, ByteView signature, Instant now);
  void set_authenticated();  // ends the grace time; rekeying and delayed compression from here

  void send(ByteView payload) override;
  void send(ByteView head, ByteView body) override;
  void unimplemented(std::uint32_t sequence) override;
  void disconnect(std::string_view text, std::string_view log_reason) override;
  void close_silently(std::string_view log_reason) override;
  void first_auth_request() override;

  ByteView session_identifier() const;         // first H; empty before
  const std::string& client_software() const;  // behind "SSH-2.0-"; see client_quirks()
  bool strict_kex() const;
  bool closed() const;
  ByteView pending_output() const;
  void consumed(std::size_t n);
  std::size_t output_backlog() const;  // pending plus held back by a key exchange
  std::size_t memory_used() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sandtrap::ssh
