// User authentication (RFC 4252, 4256) as sshd answers it: service request, methods, counting, and
// the delay before each failure. Owned by Server until success; packets in, packets to a PacketSink
// and events out. No I/O; time is passed in.
//
//   kService -> kIdle -> kDeciding -> (kHolding) -> kIdle
//                  \-> kPrompting (keyboard-interactive) -> kDeciding
//   any decision may end in kDone (success); DISCONNECT ends the connection
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/entropy.h"
#include "ssh/profile.h"
#include "ssh/server.h"
#include "ssh/transport.h"
#include "ssh/wire.h"

namespace sandtrap::ssh {

class Auth {
 public:
  // All references outlive the object.
  Auth(const Profile& profile, PacketSink& sink, std::vector<Event>& events, base::Entropy& entropy,
       std::uint64_t delay_secret);

  // What signatures cover; known after the first key exchange.
  void set_session(ByteView session_identifier, ByteView host_key_blob);

  // What the wall clock shows at `now`: libpam's delay goes by its second. Untold: drawn at random.
  void set_clock(Instant now, base::WallTime wall) {
    epoch_ = now - std::chrono::microseconds(wall.micros);
  }

  void handle(const Packet& packet, Instant now);
  // A decision is outstanding or a reply is held: no further packet may be handled.
  bool waiting() const { return state_ == State::kDeciding || state_ == State::kHolding; }
  const std::string& user() const { return user_; }
  bool succeeded() const { return state_ == State::kDone; }
  // How often a key was looked up and found: sshd has something to tell about each time.
  std::uint32_t keys_found() const { return keys_found_; }

  void submit(std::uint32_t id, bool accepted, Instant now);
  std::optional<Instant> deadline() const;
  void tick(Instant now);
  std::size_t memory_used() const;

 private:
  enum class State : std::uint8_t { kService, kIdle, kDeciding, kHolding, kPrompting, kDone };
  // The request under way.
  enum class Method : std::uint8_t {
    kNone,
    kPassword,
    kKeyQuery,
    kKeySigned,
    kPrompt,         // keyboard-interactive: the prompt was sent
    kConfirmPrompt,  // PAM's closing round without a prompt, after a right answer
    kOther,
  };

  void service_request(Reader in);
  void userauth_request(Reader in, Instant now);
  bool same_identity(std::string_view user, std::string_view service);
  void method_none(Reader& in, Instant now);
  void method_password(Reader& in, Instant now);
  void method_key(Reader& in, Instant now, bool host_bound);
  void method_keyboard_interactive(Reader& in, Instant now);
  void info_response(Reader in, Instant now);
  Bytes signed_data(std::string_view algorithm, ByteView blob, bool host_bound) const;

  bool decidable() const;
  void attempt(Credential credential, bool needs_decision);
  void send_prompt(bool with_prompt);
  void succeed();
  enum class Work { kNone, kPam };  // what a failure cost sshd, besides the time that passed
  void fail(Work work, Instant now);
  base::Duration pam_delay();
  base::Duration padded_delay(base::Duration work) const;
  void hold(Instant until, bool reply, Instant now);
  void send_failure();
  void malformed();

  const Profile& profile_;
  PacketSink& sink_;
  std::vector<Event>& events_;
  base::Entropy& entropy_;
  std::uint64_t delay_secret_;
  Bytes session_identifier_, host_key_blob_;

  State state_ = State::kService;
  Method method_ = Method::kOther;
  std::string user_, service_;    // of the first request; they may not change
  std::string signed_user_;       // with its ":style": what key signatures cover
  std::string submethods_;        // of keyboard-interactive
  Bytes key_answer_;              // PK_OK for the key in question
  Instant started_{};             // of the request under way
  Instant pam_began_{};           // with it, or with the prompt of keyboard-interactive
  std::optional<Instant> epoch_;  // the Unix epoch on the monotonic clock
  Instant held_until_{};
  bool held_reply_ = false;       // a FAILURE goes out when the hold ends
  std::uint32_t attempts_ = 0;    // requests so far
  std::uint32_t failures_ = 0;    // those that count against max_auth_tries
  std::uint32_t attempt_id_ = 0;  // of the last AuthAttempt
  std::uint32_t keys_found_ = 0;
};

}  // namespace sandtrap::ssh
