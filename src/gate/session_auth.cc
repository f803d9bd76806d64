// Signatures and logins: the gate holds no key and knows no password, it asks the warden. A
// question stays until it is answered, so that a restarted warden can be asked again.
#include <algorithm>
#include <utility>

#include "gate/session.h"

namespace sandtrap::gate {
namespace {

constexpr std::uint32_t kMaxSignatures = 100000;  // what the warden permits (ipc/permissions.h)

std::string method_of(const ssh::Credential& credential) {
  if (std::holds_alternative<ssh::NoneCredential>(credential)) return "none";
  if (std::holds_alternative<ssh::PasswordCredential>(credential)) return "password";
  if (std::holds_alternative<ssh::KeyCredential>(credential)) return "publickey";
  if (std::holds_alternative<ssh::KeyboardInteractiveCredential>(credential)) {
    return "keyboard-interactive";
  }
  return std::get<ssh::OtherCredential>(credential).method;
}

std::optional<std::string> secret_of(const ssh::Credential& credential) {
  if (const auto* password = std::get_if<ssh::PasswordCredential>(&credential)) {
    return password->password;
  }
  if (const auto* answers = std::get_if<ssh::KeyboardInteractiveCredential>(&credential)) {
    if (!answers->answers.empty()) return answers->answers.front();
  }
  return std::nullopt;
}

bool is_key_query(const ssh::Credential& credential) {
  const auto* key = std::get_if<ssh::KeyCredential>(&credential);
  return key != nullptr && !key->signed_request;
}

}  // namespace

// At the first question, not at the first byte: most connections never get so far, and need not
// wake a second process.
void Session::announce() {
  if (announced_) return;
  announced_ = services_.warden.send(
      ipc::SessionOpened{id_, remote_.ip, remote_.port, local_.ip, local_.port, hassh_});
}

void Session::ask(Question question) {
  announce();
  // Without a warden the question waits for the next one; then it is asked by warden_back().
  if (!services_.warden.send(question.message) && !warden_deadline_) {
    warden_deadline_ = base::monotonic_now() + services_.warden_patience;
  }
  questions_.push_back(std::move(question));
}

void Session::handle(const ssh::SignNeeded& event) {
  if (++signatures_ > kMaxSignatures) return doom("too many key exchanges", false);
  ipc::Sign sign;
  sign.session = id_;
  sign.request = event.id;
  sign.key = static_cast<std::uint32_t>(event.host_key);
  sign.algorithm = event.algorithm;
  sign.hash = event.data;
  ask({std::move(sign), {}});
}

void Session::handle(const ssh::ProveNeeded& event) {
  if (++signatures_ > kMaxSignatures) return server_.submit_proofs(event.id, {});
  ipc::Prove prove;
  prove.session = id_;
  prove.request = event.id;
  prove.session_identifier = event.session_identifier;
  for (const auto& [key, algorithm] : event.keys) {
    prove.keys.emplace_back(static_cast<std::uint32_t>(key), algorithm);
  }
  ask({std::move(prove), {}});
}

void Session::handle(ssh::AuthAttempt& event) {
  if (!is_key_query(event.credential)) ++auth_attempts_;
  const std::uint64_t after_ms = since_last_attempt();
  if (!event.needs_decision) return log_attempt(event, after_ms, false, "protocol");
  // sshd does not count queries for a key it would take, but the warden counts every question:
  // past its limit it would hang up on all sessions of this gate, so the answer is ours.
  // The `none` that asks for the list of methods is free for sshd, and here.
  const bool free =
      event.number == 1 && std::holds_alternative<ssh::NoneCredential>(event.credential);
  if (!free && ++auth_asked_ > services_.settings.authentication.max_auth_tries) {
    log_attempt(event, after_ms, false, "too many attempts");
    return server_.submit_auth(event.id, false, base::monotonic_now());
  }
  ipc::Authenticate request;
  request.session = id_;
  request.request = event.id;
  request.user = event.user;
  request.method = method_of(event.credential);
  request.secret = secret_of(event.credential).value_or("");
  if (const auto* key = std::get_if<ssh::KeyCredential>(&event.credential)) {
    request.key_type = key->algorithm;
    request.key_fingerprint = key->fingerprint;
    request.key_blob = key->blob;
    request.key_proven = key->signed_request && key->verified;
  }
  ask({std::move(request), std::move(event), after_ms});
}

// A human types, a list does not: the time between two requests tells them apart.
std::uint64_t Session::since_last_attempt() {
  const base::Instant now = base::monotonic_now();
  const auto passed = now - std::exchange(last_attempt_, now);
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(passed).count());
}

void Session::log_attempt(const ssh::AuthAttempt& attempt, std::uint64_t after_ms, bool accepted,
                          const std::string& decided_by) {
  const auto* key = std::get_if<ssh::KeyCredential>(&attempt.credential);
  if (key != nullptr && !key->signed_request) {
    return emit(event::KeyOffered{attempt.user, key->algorithm, key->fingerprint,
                                  base::to_base64(key->blob, true), accepted, attempt.number,
                                  after_ms});
  }
  event::LoginAttempt login{};
  login.succeeded = accepted;
  login.user = attempt.user;
  login.method = method_of(attempt.credential);
  login.password = secret_of(attempt.credential);
  if (key != nullptr) {
    login.key_type = key->algorithm;
    login.key_fingerprint = key->fingerprint;
    login.key_base64 = base::to_base64(key->blob, true);
    login.key_proven = key->verified;
  }
  login.number = attempt.number;
  login.decided_by = decided_by;
  login.after_ms = after_ms;
  emit(login);
}

std::optional<Session::Question> Session::take_question(std::uint32_t request,
                                                        bool authentication) {
  const auto found =
      std::find_if(questions_.begin(), questions_.end(), [&](const Question& question) {
        if (question.attempt.has_value() != authentication) return false;
        if (authentication) return question.attempt->id == request;
        const auto* sign = std::get_if<ipc::Sign>(&question.message);
        if (sign != nullptr) return sign->request == request;
        return std::get<ipc::Prove>(question.message).request == request;
      });
  if (found == questions_.end()) return std::nullopt;
  Question question = std::move(*found);
  questions_.erase(found);
  return question;
}

void Session::on(const ipc::CaseAssigned& message) {
  case_id_ = message.case_id;
}

void Session::on(const ipc::Signed& message) {
  const std::optional<Question> question = take_question(message.request, false);
  if (!question) return;
  if (answer_loopback(message)) return turn();
  if (std::holds_alternative<ipc::Prove>(question->message)) {
    server_.submit_proofs(message.request, message.signatures);
  } else {
    const base::Bytes none;
    server_.submit_signature(message.request,
                             message.signatures.empty() ? none : message.signatures.front(),
                             base::monotonic_now());
  }
  turn();
}

void Session::on(const ipc::AuthDecision& message) {
  const std::optional<Question> question = take_question(message.request, true);
  if (!question) return;
  log_attempt(*question->attempt, question->after_ms, message.accepted, message.decided_by);
  server_.submit_auth(message.request, message.accepted, base::monotonic_now());
  turn();
}

void Session::on(const ipc::EndSession& message) {
  end(message.reason);
}

void Session::warden_lost() {
  const bool waits = std::any_of(programs_.begin(), programs_.end(), [](const auto& entry) {
    return entry.second.stage == Program::Stage::kOpening;
  });
  if ((waits || !questions_.empty()) && !warden_deadline_) {
    warden_deadline_ = base::monotonic_now() + services_.warden_patience;
  }
  // No other warden will know how these ended.
  for (auto& [channel, program] : programs_) {
    if (program.warden == warden_ && (program.output_ended || program.client_closed)) {
      exited(program, {id_, channel, 2, 0, false});
    }
  }
  turn();
}

void Session::warden_back() {
  ++warden_;
  warden_deadline_.reset();
  if (announced_) {
    resume();
  } else if (!questions_.empty()) {
    announce();
  }
  for (const Question& question : questions_) services_.warden.send(question.message);
  for (auto& [channel, program] : programs_) {
    if (program.stage != Program::Stage::kOpening) continue;
    program.warden = warden_;
    services_.warden.send(program.request);
  }
  turn();
}

// Tells a new warden what the old one knew.
void Session::resume() {
  ipc::SessionResumed resumed;
  resumed.session = id_;
  resumed.source_ip = remote_.ip;
  resumed.source_port = remote_.port;
  resumed.user = user_;
  resumed.authenticated = authenticated_;
  for (const auto& [channel, program] : programs_) {
    const bool alive =
        program.stage == Program::Stage::kRunning || program.stage == Program::Stage::kRecording;
    if (alive) resumed.channels.push_back(channel);
  }
  services_.warden.send(std::move(resumed));
}

// The warden did not come back in time.
void Session::fail_questions() {
  warden_deadline_.reset();
  for (auto& [channel, program] : programs_) {
    if (program.stage == Program::Stage::kOpening) refuse(program, "the warden does not answer");
  }
  const std::vector<Question> questions = std::move(questions_);
  questions_.clear();
  for (const Question& question : questions) {
    const auto* prove = std::get_if<ipc::Prove>(&question.message);
    if (prove != nullptr) {
      server_.submit_proofs(prove->request, {});
    } else {
      doom("the warden does not answer", false);
    }
  }
}

}  // namespace sandtrap::gate
