// The connection protocol (RFC 4254) as sshd speaks it: global requests and session channels.
// Owned by Server once the client is authenticated; packets in, packets to a PacketSink and events
// out. No I/O; time only where the end of a program waits a moment for its output, and where a
// forwarding fails as slowly as a real one.
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
  std::uint16_t local_port = 0;     // where the client reached us: our own sshd answers there
};

class Connection {
 public:
  // All references outlive the connection.
  Connection(const Profile& profile, const std::vector<HostKey>& keys, PacketSink& sink,
             std::vector<Event>& events, base::Entropy& entropy, ConnectionPeer peer);

  void announce_host_keys();  // hostkeys-00@openssh.com
  void tell_key_options(std::uint32_t times);
  void handle(const Packet& packet);
  // A decision is outstanding: no further packet may be handled.
  bool waiting() const { return starting_.has_value() || proving_ || lookup_.has_value(); }
  // No packet is left for now: channels that are over are closed, and the numbers of finished ones
  // become free. sshd does this once per round of its loop, so what comes in one piece finds them
  // still taken.
  void collect();

  void submit_proofs(std::uint32_t id, const std::vector<Bytes>& signatures);
  void submit_program(ChannelId channel, bool started);
  std::size_t room(ChannelId channel) const;                     // what the peer's window allows
  void output(ChannelId channel, Stream stream, ByteView data);  // at most room()
  void consumed(ChannelId channel, std::size_t n);
  // `recent`: how much output came in the last moment before its end.
  void output_eof(ChannelId channel, std::size_t recent = 0);
  void exited(ChannelId channel, const Exit& exit);
  void input_closed(ChannelId channel);

  // A program has exited while its output is still open, or a forwarding is under way.
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
  Answer forward_request(std::string_view name, Reader& in, bool want_reply);
  Answer tcpip_forward(const ForwardRequest& request, bool want_reply);
  Answer streamlocal_forward(const ForwardRequest& request);
  Answer cancel_forward(const ForwardRequest& request, bool streamlocal);
  Answer prove_host_keys(Reader& in, bool want_reply);
  void answer_global(bool want_reply, bool success);

  // connection_open.cc. `opening.id` is ours to give.
  bool open_session(Channel::Opening opening);
  bool open_direct(Channel::Opening opening);  // to our own sshd
  struct Refusal {
    std::uint32_t reason;
    std::string_view text;
  };
  // Nothing: malformed, or answered already or later.
  std::optional<Refusal> refuse_open(std::string_view type, Reader& in,
                                     const Channel::Opening& opening, bool& answered);
  bool direct_tcpip(ForwardRequest& request, const Channel::Opening& opening, Refusal& refusal);
  void send_refusal(std::uint32_t remote_id, const Refusal& refusal);
  void connect_later(std::uint32_t remote_id, const ForwardVerdict& verdict);
  std::optional<Instant> forward_deadline() const;
  void tick_forwards(Instant now);

  // What holds one of our numbers. A listener or a connection under way has no channel.
  struct Slot {
    bool taken = false;
    std::unique_ptr<Channel> channel;
  };
  std::optional<ChannelId> take_number();
  std::vector<ChannelId> take_numbers(std::size_t count);  // all or none
  std::uint32_t free_display() const;
  void release(const std::vector<ChannelId>& numbers);
  struct Pending {  // a direct-tcpip that will fail
    std::uint32_t remote_id;
    ForwardVerdict verdict;
    std::optional<ChannelId> number;  // once it is connecting
    std::optional<Instant> due;       // from the first tick on
  };
  std::string rsa_signature_algorithm() const;

  Channel* find(ChannelId id) const;
  // The channel that a packet names; nullptr after a DISCONNECT was sent.
  Channel* packet_channel(Reader& in, std::string_view what);
  std::optional<std::uint32_t> packet_channel_id(Reader& in, std::string_view what);
  void send_debug(std::string_view text);
  void malformed(std::string_view what);

  const Profile& profile_;
  const std::vector<HostKey>& keys_;
  PacketSink& sink_;
  std::vector<Event>& events_;
  base::Entropy& entropy_;
  ConnectionPeer peer_;
  bool sends_eow_;
  std::vector<Slot> slots_;  // index = our number
  ForwardListeners listeners_;
  std::optional<Pending> lookup_;  // sshd's resolver blocks: one at a time
  std::vector<Pending> connecting_;
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
