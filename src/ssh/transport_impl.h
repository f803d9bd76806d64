// The inside of Transport, for its own .cc files: transport.cc (input, output, ends),
// transport_kex.cc (key exchange).
#pragma once

#include <string>
#include <vector>

#include "crypto/hash.h"
#include "crypto/secret.h"
#include "ssh/identification.h"
#include "ssh/kex_init.h"
#include "ssh/kex_method.h"
#include "ssh/kex_moduli.h"
#include "ssh/packet_codec.h"
#include "ssh/transport.h"
#include "ssh/transport_messages.h"

namespace sandtrap::ssh {

// Where a key exchange stands. Ours goes out with the reply to theirs, so there is one line:
//
//   kNone --KEXINIT sent--> kSentInit --KEXINIT came--> kAwaitValue <--34/31 (group exchange)-+
//     ^                                                     |  |______________________________|
//     |                                                     v 30/32
//     +--NEWKEYS came-- kAwaitNewKeys <--submit_signature-- kSigning
enum class KexPhase { kNone, kSentInit, kAwaitValue, kSigning, kAwaitNewKeys };

// What one run of the key exchange needs until it is done; gone afterwards.
struct KexRun {
  Bytes server_init, client_init;  // payloads
  KexInit server_lists;
  ChosenAlgorithms chosen;
  const KexMethod* method = nullptr;
  std::size_t host_key = 0;
  bool group_requested = false;
  crypto::DhGroup group;  // of a group exchange
  Bytes group_hash_part;  // min, n, max, p, g
  Bytes server_value;
  crypto::Secret secret;  // encoded
  crypto::Digest hash;
  std::uint32_t signature_id = 0;
  std::unique_ptr<PacketProtection> next_in;  // from the client's NEWKEYS on
};

struct Transport::Impl {
  Impl(const Profile& p, const std::vector<HostKey>& k, base::Entropy& e, Instant now)
      : profile(p),
        keys(k),
        entropy(e),
        grace_end(now + p.login_grace),
        identification(p.max_identification),
        reader(p.max_packet_length),
        writer(e) {}

  // transport.cc
  std::optional<TransportEvent> next_event();
  void read_identification();
  bool read_packet();  // false: nothing more can be done now
  void dispatch(std::uint32_t sequence, ByteView payload);
  bool handle_implicit(ByteView payload);                       // 1-4; true: swallowed
  void handle_local(std::uint32_t sequence, ByteView payload);  // types from 192 on
  void unexpected(std::uint8_t type, std::uint32_t sequence);
  void put(ByteView head, ByteView body);    // seals now
  void queue(ByteView head, ByteView body);  // seals, or holds back during a key exchange
  void flush_held();
  void send_unimplemented(std::uint32_t sequence);
  void disconnect(std::string_view text, std::string_view log_reason);
  void close(std::string_view reason, bool by_peer);
  void close_silently(std::string_view reason, bool by_peer = false);
  void mark_flushed() { unflushed = 0; }

  // transport_kex.cc
  void send_kex_init();
  void on_kex_init(std::uint32_t sequence, ByteView payload);
  void negotiate(std::uint32_t sequence, const KexInit& client);
  void on_kex_message(std::uint8_t type, std::uint32_t sequence, ByteView payload);
  void on_group_request(ByteView payload);
  void on_client_value(ByteView payload);
  void on_signature(ByteView signature);
  void send_new_keys();
  void send_ext_info();
  void on_ext_info(std::uint32_t sequence, ByteView payload);
  void send_late_ext_info();  // if it is due
  void on_new_keys(ByteView payload);
  bool rekey_due(std::size_t next_packet) const;
  void start_compression();
  bool strict_initial() const { return strict && !first_kex_done; }

  const Profile& profile;
  const std::vector<HostKey>& keys;
  base::Entropy& entropy;
  Instant grace_end;

  IdentificationReader identification;
  ClientQuirks quirks;
  PacketBuffer in, out;
  PacketReader reader;
  PacketWriter writer;
  std::vector<TransportEvent> events;
  std::size_t next_event_index = 0;

  KexPhase phase = KexPhase::kNone;
  std::unique_ptr<KexRun> run;
  Bytes session_identifier;
  std::string cipher_in, cipher_out;               // in force, for the rekey limits
  bool compress_in = false, compress_out = false;  // agreed on, delayed until authentication
  std::uint32_t last_signature_id = 0;
  int skip_packets = 0;  // wrongly guessed key exchange packets still to come

  bool strict = false;  // the client offered strict KEX in its first KEXINIT
  bool ext_info_wanted = false;
  bool ext_info_came = false, late_ext_info_wanted = false, late_ext_info_due = false;
  bool first_kex_done = false;  // the client's first NEWKEYS came
  bool authenticated = false;
  bool is_closed = false;
  bool peer_ended = false;  // TCP half-close seen

  // Held back packets, each behind its length (RFC 4253 §7.1).
  PacketBuffer held;
  // Bytes at the end of `out` that a real sshd would still have in its own buffer: it loses them
  // when it dies without a word.
  std::size_t unflushed = 0;
  // Where the next write ends, if not at the end of `out`. sshd writes an error line and its end
  // apart, and Nagle's algorithm holds the second write: a reset then discards it.
  std::size_t write_end = 0;
};

}  // namespace sandtrap::ssh
