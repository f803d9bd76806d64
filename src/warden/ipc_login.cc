// Logins: which case a login belongs to, and who decides: the case's machine, else the policy.
#include "warden/ipc_server.h"

namespace sandtrap::warden {
namespace {

// Of a key: the client only asks whether we would take it. An accepted one is not a login
// (RFC 4252 §7).
bool is_question(const ipc::Authenticate& login) {
  return login.method == "publickey" && !login.key_proven;
}

LoginRequest request_of(const Session& session, const ipc::Authenticate& m) {
  return {m.user,     m.method,         m.secret, m.key_proven, session.source_ip,
          m.key_type, m.key_fingerprint};
}

const CaseId& deciding_case(const Session& session) {
  return session.lead ? session.lead->id : session.case_id;
}

}  // namespace

base::Status IpcServer::on(Session& session, const ipc::Authenticate& m) {
  session.lead.reset();
  // `none` as the first request is free in sshd, hence the one more.
  if (session.refused_logins > limits_.max_auth_tries) {
    decided(session, m, {false, "attempts", false});
    return {};
  }
  const std::vector<cases::Key> keys = login_keys(m);
  for (const cases::Key& key : keys) {
    if (key.kind == cases::KeyKind::kCredential) parts_.cases.tried(session.case_id, key);
  }
  session.lead = parts_.cases.lead(session.case_id, keys);
  if (parts_.accounts.concern(deciding_case(session), m)) {
    tasks_.spawn("ask account", ask_account(session.id, m));
  } else {
    ask_policy(session, m);
  }
  return {};
}

// The case's machine has the first word: what was changed in there counts. From here on the session
// holds it.
net::Task<void> IpcServer::ask_account(ipc::SessionId id, ipc::Authenticate login) {
  const Session* before = sessions_.find(id);
  if (before == nullptr) co_return;
  const CaseId asked = deciding_case(*before);
  const Claimant who{asked, before->source_ip, id, before->source_port};
  const auto answer = co_await parts_.accounts.ask(who, login);
  Session* session = sessions_.find(id);
  const bool accepted = answer == sandbox::AccountAnswer::kAccepted;
  if (session == nullptr || (session->case_id != asked && !accepted)) {
    parts_.pool.release(asked, id);
  }
  if (session == nullptr) co_return;
  const bool key = login.method == "publickey";
  if (accepted) {
    LoginDecision decision{true, key ? "authorized_keys" : "account", false};
    // What anybody may log in with is nobody's find.
    decision.earned =
        !key && !parts_.policy.explain("", request_of(*session, login), base::monotonic_now())
                     .decision.accepted;
    decided(*session, login, std::move(decision));
  } else if (answer == sandbox::AccountAnswer::kRefused && !key) {
    decided(*session, login, {false, "account", false});
  } else {
    ask_policy(*session, login);
  }
}

void IpcServer::ask_policy(Session& session, const ipc::Authenticate& m) {
  const CaseId& record = deciding_case(session);
  auto decision = parts_.policy.decide(record, request_of(session, m), base::monotonic_now());
  if (decision.remembered && on_remembered_) on_remembered_(record);
  if (decision.accepted && is_password_method(m.method)) {
    tasks_.spawn("accept login", accept(session.id, m, std::move(decision)));
  } else {
    decided(session, m, std::move(decision));
  }
}

// Its machine shall have this very password.
net::Task<void> IpcServer::accept(ipc::SessionId id, ipc::Authenticate login,
                                  LoginDecision decision) {
  std::string hash = co_await parts_.accounts.hash(login.secret);
  Session* session = sessions_.find(id);
  if (session == nullptr) co_return;
  session->password_hash = std::move(hash);
  decided(*session, login, std::move(decision));
}

void IpcServer::decided(Session& session, const ipc::Authenticate& m, LoginDecision decision) {
  if (!decision.accepted) ++session.refused_logins;
  if (decision.accepted && !is_question(m)) {
    session.user = m.user;
    session.permits.authenticated();
    logged_in(session, m, decision.earned);
  }
  send(session.gate,
       ipc::AuthDecision{m.session, m.request, decision.accepted, decision.decided_by});
}

// Before the decision goes out: the gate's login event names the case that the session has then.
void IpcServer::logged_in(Session& session, const ipc::Authenticate& m, bool earned) {
  // The case may have been forgotten, or have become this one, while its machine was asked.
  if (session.lead && session.lead->id != session.case_id &&
      parts_.cases.find(session.lead->id) != nullptr) {
    const CaseId from = std::exchange(session.case_id, session.lead->id);
    parts_.cases.move(from, session.case_id, session.case_source, base::wall_now());
    if (parts_.cases.find(from) == nullptr) {
      parts_.policy.records().rekey(from, session.case_id, base::monotonic_now());
      if (on_remembered_) on_remembered_(session.case_id);
    }
    send(session.gate, ipc::CaseAssigned{session.id, session.case_id});
    emit(session, event::CaseJoined{from, std::string(name(session.lead->by))});
  }
  std::vector<cases::Key> proven = login_keys(m);
  std::erase_if(proven,
                [](const cases::Key& key) { return key.kind != cases::KeyKind::kClientKey; });
  parts_.cases.establish(session.case_id, proven);
  if (earned && is_password_method(m.method)) {
    parts_.cases.earn(session.case_id, {m.user, m.secret, base::wall_now()});
  }
}

}  // namespace sandtrap::warden
