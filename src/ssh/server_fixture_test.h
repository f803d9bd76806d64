// For tests and fuzzers: a Server and a scriptable client joined in memory, with a host that takes
// one password and one key and runs "programs" that the test plays. No I/O, no clock.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ssh/channel_messages.h"
#include "ssh/connection_recorder_test.h"
#include "ssh/server.h"
#include "support/joined.h"
#include "support/ssh_client.h"

namespace sandtrap::ssh {

inline Profile fast_debian() {
  Profile profile = debian_12();
  profile.quantise_delays = false;
  return profile;
}

class JoinedServer {
 public:
  explicit JoinedServer(Profile profile = fast_debian(), test::ClientOptions options = {},
                        std::uint64_t seed = 1)
      : profile_(std::move(profile)),
        server_entropy_(seed),
        client_entropy_(seed + 1),
        server(profile_, test::HostKeys::shared().public_keys(), server_entropy_, 42, now),
        client(std::move(options), client_entropy_) {}

  // Moves bytes until both sides are quiet. Events go to `log` and to on_event.
  void run() {
    test::run(
        client, server, now, [this](auto& e) { handle(e); }, largest);
    while (auto payload = client.next_payload()) received.push_back(std::move(*payload));
  }
  // The same, with time passing up to every deadline within `span`.
  void run_for(base::Duration span) {
    const Instant end = now + span;
    run();
    for (auto until = server.deadline(); until && *until <= end; until = server.deadline()) {
      now = std::max(now, *until);
      server.tick(now);
      run();
    }
    now = end;
  }
  void send(const Writer& w) { client.send(w.view()); }
  Lines exchange(const Writer& w) {
    send(w);
    run();
    return lines();
  }
  // What the client got since the last call, key exchange and EXT_INFO apart.
  Lines lines() {
    Lines out;
    for (const Bytes& payload : received) {
      if (payload[0] != 7) out.push_back(describe_packet(payload));
    }
    received.clear();
    return out;
  }
  void log_in(std::string_view user = "root") {
    send(Writer(message::kServiceRequest).string("ssh-userauth"));
    send(password(user, "letmein"));
    run();
  }
  static Writer request(std::string_view user, std::string_view method) {
    Writer w(message::kUserauthRequest);
    w.string(user).string("ssh-connection").string(method);
    return w;
  }
  static Writer password(std::string_view user, std::string_view text) {
    return request(user, "password").boolean(false).string(text);
  }
  static Writer open(std::uint32_t remote_id, std::uint32_t window = 2097152,
                     std::uint32_t max_packet = 32768) {
    Writer w(message::kChannelOpen);
    w.string("session").u32(remote_id).u32(window).u32(max_packet);
    return w;
  }
  static Writer exec(std::uint32_t id, std::string_view command) {
    Writer w(message::kChannelRequest);
    w.u32(id).string("exec").boolean(true).string(command);
    return w;
  }
  static Writer data(std::uint32_t id, ByteView bytes) {
    Writer w(message::kChannelData);
    w.u32(id).string(bytes);
    return w;
  }

 private:
  Profile profile_;
  test::SeededEntropy server_entropy_, client_entropy_;

 public:
  Instant now{std::chrono::hours(1)};
  Server server;
  test::SshClient client;
  std::vector<Bytes> received;
  Lines log;                                              // one line per event
  std::function<std::size_t()> largest;                   // fragments what the client sends
  std::function<bool(const AuthAttempt&)> decide;         // default: the password, any proven key
  std::function<void(ChannelId, ByteView)> on_input;      // default: consumed
  std::function<bool(const ProgramRequest&)> on_program;  // default: started
  bool closed = false;

 private:
  template <class E>
  void handle(E& e) {
    if constexpr (std::is_same_v<E, AuthAttempt>) {
      log.push_back(
          fmt::format("attempt {} {} {}", e.user, e.credential.index(), e.needs_decision));
      if (e.needs_decision) server.submit_auth(e.id, accepts(e), now);
    } else if constexpr (std::is_same_v<E, Authenticated>) {
      log.push_back(fmt::format("authenticated {} {}", e.user, e.method));
    } else if constexpr (std::is_same_v<E, ChannelOpened>) {
      log.push_back(fmt::format("opened {}", e.channel));
    } else if constexpr (std::is_same_v<E, ProgramRequest>) {
      log.push_back(fmt::format("program {} {}", e.channel, e.command));
      server.submit_program(e.channel, !on_program || on_program(e));
    } else if constexpr (std::is_same_v<E, ChannelInput>) {
      add_input(e.channel, e.data);
      const std::size_t size = e.data.size();
      if (on_input) return on_input(e.channel, e.data);
      server.channel_consumed(e.channel, size);
    } else if constexpr (std::is_same_v<E, ChannelEof>) {
      log.push_back(fmt::format("eof {} {}", e.channel, e.closed));
    } else if constexpr (std::is_same_v<E, ChannelClosed>) {
      log.push_back(fmt::format("closed {}", e.channel));
    } else if constexpr (std::is_same_v<E, ProveNeeded>) {
      server.submit_proofs(e.id, std::vector<Bytes>(e.keys.size(), base::to_bytes("proof")));
    } else if constexpr (std::is_same_v<E, Closed>) {
      log.push_back(fmt::format("end {} {}", e.reason, e.by_peer));
      closed = true;
    }
  }
  // Bytes of one channel in a row are one line, however they were cut.
  void add_input(ChannelId channel, ByteView bytes) {
    const std::string prefix = fmt::format("input {} ", channel);
    if (log.empty() || !log.back().starts_with(prefix)) log.push_back(prefix);
    if (log.back().size() < 4096) log.back() += base::as_text(bytes);
  }
  bool accepts(const AuthAttempt& attempt) const {
    if (decide) return decide(attempt);
    if (const auto* p = std::get_if<PasswordCredential>(&attempt.credential)) {
      return p->password == "letmein";
    }
    if (const auto* k = std::get_if<KeyboardInteractiveCredential>(&attempt.credential)) {
      return k->answers == std::vector<std::string>{"letmein"};
    }
    return std::holds_alternative<KeyCredential>(attempt.credential);
  }
};

}  // namespace sandtrap::ssh
