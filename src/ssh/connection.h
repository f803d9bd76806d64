// The connection protocol (RFC 4254) as sshd speaks it: global requests and session channels.
// Owned by Server once the client is authenticated; packets in, packets to a PacketSink and events
// out. No I/O; time only where the end of a program waits a moment for its output.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ssh/channel.h"
#include "ssh/profile.h"
#include "ssh/server.h"
#include "ssh/transport.h"
#include "ssh/wire.h"

namespace sandtrap::ssh {

// What Connection needs to know of the transport below it.
struct ConnectionPeer {
  std::string user;
  std::string client_software;      // behind "SSH-2.0-"
  Bytes session_identifier;         // first exchange hash
  std::string host_key_algorithm;   // negotiated in the first key exchange
  std::string host_key_algorithms;  // the client's list
};

class Connection {
 public:
  // All references outlive the connection.
  Connection(const Profile& profile, const std::vector<HostKey>& keys, PacketSink& sink,
             std::vector<Event>& events, ConnectionPeer peer);

  void announce_host_keys();  // hostkeys-00@openssh.com
  void tell_key_options(std::uint32_t times);
  void handle(const Packet& packet);
  // A decision is outstanding: no further packet may be handled.
  bool waiting() const { return starting_.has_value() || proving_; }

  void submit_proofs(std::uint32_t id, const std::vector<Bytes>& signatures);
  void submit_program(ChannelId channel, bool started);
  std::size_t room(ChannelId channel) const;                     // what the peer's window allows
  void output(ChannelId channel, Stream stream, ByteView data);  // at most room()
  void consumed(ChannelId channel, std::size_t n);
  void output_eof(ChannelId channel);
  void exited(ChannelId channel, const Exit& exit);
  void input_closed(ChannelId channel);

  // A program has exited while its output is still open.
  std::optional<Instant> deadline() const;
  void tick(Instant now);

  bool session_started() const { return session_started_; }
  std::size_t memory_used() const;

 private:
  struct Handler;
  static const Handler kHandlers[];

  // Messages; `in` stands behind the type byte.
  void global_request(Reader in);
  void channel_open(Reader in);
  void open_confirmation(Reader in);
  void open_failure(Reader in);
  void window_adjust(Reader in);
  void data(Reader in);
  void extended_data(Reader in);
  void eof(Reader in);
  void close(Reader in);
  void channel_request(Reader in);
  void ignored(Reader) {}

  enum class Answer { kSuccess, kFailure, kLater, kMalformed };
  Answer tcpip_forward(Reader& in, bool want_reply);
  Answer streamlocal_forward(Reader& in);
  Answer cancel_forward(Reader& in, bool streamlocal);
  Answer prove_host_keys(Reader& in, bool want_reply);
  void answer_global(bool want_reply, bool success);

  bool open_session(std::uint32_t remote_id, std::uint32_t window, std::uint32_t max_packet);
  struct Refusal {
    std::uint32_t reason;
    std::string_view text;
  };
  std::optional<Refusal> refuse_open(std::string_view type, Reader& in);  // nothing: malformed
  std::string rsa_signature_algorithm() const;

  Channel* find(ChannelId id) const;
  // The channel that a packet names; nullptr after a DISCONNECT was sent.
  Channel* packet_channel(Reader& in, std::string_view what);
  std::optional<std::uint32_t> packet_channel_id(Reader& in, std::string_view what);
  void after(ChannelId id);  // frees a finished channel
  void send_debug(std::string_view text);
  void malformed(std::string_view what);

  const Profile& profile_;
  const std::vector<HostKey>& keys_;
  PacketSink& sink_;
  std::vector<Event>& events_;
  ConnectionPeer peer_;
  bool sends_eow_;
  std::vector<std::unique_ptr<Channel>> channels_;  // index = our number; null where free
  std::optional<ChannelId> starting_;
  bool proving_ = false;
  std::uint32_t prove_id_ = 0;
  std::size_t prove_count_ = 0;
  bool no_more_sessions_ = false, agent_requested_ = false, session_started_ = false;
  bool exit_waits_ = false;
  std::optional<Instant> exit_deadline_;
};

// Client quirks by identification (OpenSSH's compatibility table).
bool client_knows_eow(std::string_view software);
bool client_takes_host_keys(std::string_view software);

}  // namespace sandtrap::ssh
