#include "ssh/auth.h"

#include <fmt/format.h>

#include <algorithm>

#include "ssh/auth_delay.h"
#include "ssh/channel_messages.h"

namespace sandtrap::ssh {
namespace {

constexpr std::string_view kConnectionService = "ssh-connection";
constexpr std::string_view kTooManyFailures = "Too many authentication failures";
constexpr std::uint32_t kMaxRequests = 1024;
constexpr std::size_t kMaxPassword = 1024;
constexpr std::size_t kMaxUserForDecision = 1024;  // longer names exist on no system
constexpr std::uint32_t kMaxResponses = 100;
constexpr std::size_t kMaxDisconnectText = 1023;  // sshd formats into 1024 bytes

std::string disconnect_text(std::string text) {
  if (text.size() > kMaxDisconnectText) text.resize(kMaxDisconnectText);
  return text;
}

// Clients use the method only where EXT_INFO names it, and sshd knows it since then.
bool knows_host_bound_keys(const Profile& profile) {
  return std::any_of(profile.ext_info.begin(), profile.ext_info.end(), [](const auto& entry) {
    return entry.first == "publickey-hostbound@openssh.com";
  });
}

}  // namespace

Auth::Auth(const Profile& profile, PacketSink& sink, std::vector<Event>& events,
           base::Entropy& entropy, std::uint64_t delay_secret)
    : profile_(profile),
      sink_(sink),
      events_(events),
      entropy_(entropy),
      delay_secret_(delay_secret) {}

void Auth::set_session(ByteView session_identifier, ByteView host_key_blob) {
  session_identifier_.assign(session_identifier.begin(), session_identifier.end());
  host_key_blob_.assign(host_key_blob.begin(), host_key_blob.end());
}

void Auth::malformed() {
  sink_.close_silently("malformed authentication request");
}

void Auth::handle(const Packet& packet, Instant now) {
  if (packet.payload.empty() || waiting() || succeeded()) return;
  const Reader in(packet.payload.subspan(1));
  switch (packet.payload[0]) {
    case message::kServiceRequest:
      return service_request(in);
    case message::kUserauthRequest:
      if (state_ == State::kService) break;
      return userauth_request(in, now);
    case message::kUserauthInfoResponse:
      if (state_ != State::kPrompting) break;
      return info_response(in, now);
    default:
      break;
  }
  sink_.unimplemented(packet.sequence);
}

void Auth::service_request(Reader in) {
  const std::string_view name = in.text();
  if (!in.done()) return malformed();
  if (name != "ssh-userauth") {
    sink_.disconnect(disconnect_text(fmt::format("bad service request {}", name)),
                     "bad service request");
    return;
  }
  if (state_ == State::kService) state_ = State::kIdle;
  sink_.send(Writer(message::kServiceAccept).string(name).view());
}

void Auth::userauth_request(Reader in, Instant now) {
  const std::string_view full_user = in.text();
  const std::string_view service = in.text();
  const std::string_view method = in.text();
  if (!in.ok()) return malformed();
  const std::string_view user = full_user.substr(0, full_user.find(':'));  // "user:style"
  if (attempts_ >= kMaxRequests) {
    return sink_.disconnect(kTooManyFailures, "too many authentication requests");
  }
  if (attempts_ == 0) {
    signed_user_ = full_user;
    sink_.first_auth_request();
  }
  if (!same_identity(user, service)) return;
  state_ = State::kIdle;  // a new request ends a keyboard-interactive exchange
  started_ = pam_began_ = now;
  ++attempts_;
  method_ = Method::kOther;
  if (method == "none") {
    method_none(in, now);
  } else if (method == "password") {
    method_password(in, now);
  } else if (method == "publickey") {
    method_key(in, now, false);
  } else if (method == "publickey-hostbound-v00@openssh.com" && knows_host_bound_keys(profile_)) {
    method_key(in, now, true);
  } else if (method == "keyboard-interactive" && profile_.keyboard_interactive) {
    method_keyboard_interactive(in, now);
  } else {
    attempt(OtherCredential{std::string(method)}, false);
    fail(Work::kNone, now);
  }
}

// Fixes user and service with the first request; false after a DISCONNECT.
bool Auth::same_identity(std::string_view user, std::string_view service) {
  if (attempts_ == 0) {
    user_ = user;
    service_ = service;
    return true;
  }
  if (user == user_ && service == service_) return true;
  sink_.disconnect(
      disconnect_text(fmt::format("Change of username or service not allowed: ({},{}) -> ({},{})",
                                  user_, service_, user, service)),
      "change of user or service");
  return false;
}

void Auth::attempt(Credential credential, bool needs_decision) {
  events_.emplace_back(AuthAttempt{++attempt_id_, user_, service_, std::move(credential),
                                   needs_decision, attempts_});
  if (needs_decision) state_ = State::kDeciding;
}

// A request for another service is an invalid user to sshd and never succeeds; a name that exists
// on no system need not be asked for either.
bool Auth::decidable() const {
  return service_ == kConnectionService && user_.size() <= kMaxUserForDecision;
}

void Auth::method_none(Reader& in, Instant now) {
  if (!in.done()) return malformed();
  method_ = Method::kNone;
  // sshd then tries the empty password, and a wrong one is as slow as any other.
  const bool decide = profile_.empty_passwords && decidable();
  attempt(NoneCredential{}, decide);
  if (!decide) fail(profile_.empty_passwords ? Work::kPam : Work::kNone, now);
}

void Auth::method_password(Reader& in, Instant now) {
  const bool change = in.boolean();
  const std::string password(in.text());
  if (change) in.text();
  if (!in.done()) return malformed();
  method_ = Method::kPassword;
  // Not supported by sshd with PAM, or refused before PAM is asked: no PAM delay.
  const bool empty = password.empty() && !profile_.empty_passwords;
  const bool fast = change || empty || password.size() > kMaxPassword || !profile_.passwords;
  const bool decide = !fast && decidable();
  attempt(PasswordCredential{password}, decide);
  if (!decide) fail(fast ? Work::kNone : Work::kPam, now);
}

void Auth::method_keyboard_interactive(Reader& in, Instant now) {
  in.text();  // language
  submethods_ = in.text();
  if (!in.done()) return malformed();
  bool device = submethods_.empty();
  for (const std::string_view name : split_names(submethods_)) device = device || name == "pam";
  if (!device) {
    attempt(KeyboardInteractiveCredential{submethods_, {}}, false);
    return fail(Work::kNone, now);
  }
  method_ = Method::kPrompt;
  state_ = State::kPrompting;
  send_prompt(true);
}

void Auth::send_prompt(bool with_prompt) {
  Writer w(message::kUserauthInfoRequest);
  w.string("").string("").string("").u32(with_prompt ? 1 : 0);
  if (with_prompt) w.string("Password: ").boolean(false);
  sink_.send(w.view());
}

void Auth::info_response(Reader in, Instant now) {
  const std::uint32_t count = in.u32();
  if (!in.ok()) return malformed();
  const std::uint32_t expected = method_ == Method::kPrompt ? 1 : 0;
  if (count > kMaxResponses || count != expected) return malformed();
  std::vector<std::string> answers;
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) answers.emplace_back(in.text());
  if (!in.done()) return malformed();
  started_ = now;
  if (method_ == Method::kConfirmPrompt) return succeed();
  const bool decide = decidable() && !answers[0].empty() && answers[0].size() <= kMaxPassword;
  attempt(KeyboardInteractiveCredential{submethods_, std::move(answers)}, decide);
  if (!decide) fail(Work::kPam, now);
}

void Auth::submit(std::uint32_t id, bool accepted, Instant now) {
  if (state_ != State::kDeciding || id != attempt_id_) return;
  if (!accepted) {
    const bool pam = method_ == Method::kPassword || method_ == Method::kPrompt ||
                     method_ == Method::kNone;  // asked only for an empty password
    return fail(pam ? Work::kPam : Work::kNone, now);
  }
  if (method_ == Method::kKeyQuery || method_ == Method::kKeySigned) ++keys_found_;
  if (method_ == Method::kKeyQuery) {
    sink_.send(key_answer_);
    // The answer is out, but sshd pads every request that did not log in.
    return hold(started_ + padded_delay(now - started_), false, now);
  }
  if (method_ == Method::kPrompt) {
    method_ = Method::kConfirmPrompt;
    state_ = State::kPrompting;
    return send_prompt(false);
  }
  succeed();
}

void Auth::succeed() {
  state_ = State::kDone;
  sink_.send(Writer(message::kUserauthSuccess).view());
  static constexpr std::string_view kNames[] = {
      "none", "password", "publickey", "publickey", "keyboard-interactive", "keyboard-interactive",
      "other"};
  events_.emplace_back(
      Authenticated{user_, std::string(kNames[static_cast<std::size_t>(method_)])});
}

void Auth::fail(Work work, Instant now) {
  const base::Duration pam = work == Work::kPam ? pam_delay() : base::Duration::zero();
  const base::Duration elapsed = now - started_;
  // keyboard-interactive answers arrive outside the request that sshd pads.
  const bool padded = method_ != Method::kPrompt;
  const base::Duration total = padded ? padded_delay(elapsed + pam) : elapsed + pam;
  const bool immediate = method_ == Method::kNone && profile_.none_is_immediate;
  hold(immediate ? now + pam : started_ + total, true, now);
}

base::Duration Auth::pam_delay() {
  const base::Duration min = profile_.pam_delay_min, max = profile_.pam_delay_max;
  if (!profile_.pam_delay_by_clock || !epoch_) return random_delay(min, max, entropy_);
  const auto second = std::chrono::floor<std::chrono::seconds>(pam_began_ - *epoch_);
  return clocked_delay(min, max, second.count());
}

base::Duration Auth::padded_delay(base::Duration work) const {
  const base::Duration longest = profile_.longest_padded;
  if (longest > base::Duration::zero() && work > longest) return work;
  return padded_failure_delay(base_failure_delay(delay_secret_, user_), work);
}

void Auth::hold(Instant until, bool reply, Instant now) {
  state_ = State::kHolding;
  held_until_ = profile_.quantise_delays ? until : now;
  held_reply_ = reply;
  tick(now);
}

std::optional<Instant> Auth::deadline() const {
  if (state_ != State::kHolding) return std::nullopt;
  return held_until_;
}

void Auth::tick(Instant now) {
  if (state_ != State::kHolding || now < held_until_) return;
  state_ = State::kIdle;
  if (held_reply_) send_failure();
}

void Auth::send_failure() {
  // A "none" that opens the connection asks for the list of methods and costs nothing.
  if (attempts_ > 1 || method_ != Method::kNone) ++failures_;
  if (failures_ >= profile_.max_auth_tries) {
    return sink_.disconnect(kTooManyFailures, "too many authentication failures");
  }
  sink_.send(Writer(message::kUserauthFailure).string(profile_.auth_methods).boolean(false).view());
}

std::size_t Auth::memory_used() const {
  return sizeof(*this) + session_identifier_.capacity() + host_key_blob_.capacity() +
         user_.capacity() + signed_user_.capacity() + service_.capacity() + submethods_.capacity() +
         key_answer_.capacity();
}

}  // namespace sandtrap::ssh
