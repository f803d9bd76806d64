// What the warden does for each request of a gate. Everything here was found permitted before.
#include <fmt/format.h>

#include "warden/ipc_server.h"
#include "warden/requests.h"
#include "warden/user_name.h"

namespace sandtrap::warden {
namespace {

// sshd closes a connection after 1024 authentication requests; an honest gate does so as well.
constexpr std::uint32_t kMaxAuthRequests = 1024;
constexpr std::uint32_t kMaxProcesses = 1000;
// A client may ask for proofs of the same key again and again in one packet; RSA takes
// milliseconds.
constexpr std::size_t kMaxProofs = 8;

Claimant claimant(const Session& session) {
  return Claimant{session.case_id, session.source_ip, session.id, session.source_port};
}

// An accepted key without proof is the answer to a question, not a login (RFC 4252 §7).
bool is_question(const ipc::Authenticate& login) {
  return login.method == "publickey" && !login.key_proven;
}

}  // namespace

base::Status IpcServer::add_session(Gate& gate, Session session, const ipc::Message& message) {
  if (sessions_.size() >= limits_.max_sessions) {
    return base::fail(base::Errc::kDenied, "more sessions than all gates may have");
  }
  if (sessions_.find(session.id) != nullptr) {
    return base::fail(base::Errc::kDenied, "the session is known already");
  }
  if (auto permitted = session.permits.request(message); !permitted) return permitted;
  session.gate = gate.number;
  session.source = parse_source(session.source_ip).value_or(SourceKey{});
  session.case_id = parts_.cases.open(session.source);
  const Session* added = sessions_.add(std::move(session));
  send(gate.number, ipc::CaseAssigned{added->id, added->case_id});
  return {};
}

base::Status IpcServer::on(Gate& gate, const ipc::SessionOpened& m) {
  ipc::PermitLimits permits;
  permits.max_auth_attempts = kMaxAuthRequests;
  permits.max_processes = kMaxProcesses;
  permits.max_channels = limits_.max_channels;
  return add_session(gate,
                     Session{m.session,
                             0,
                             {},
                             m.source_ip,
                             m.local_ip,
                             m.source_port,
                             m.local_port,
                             {},
                             {},
                             {},
                             false,
                             0,
                             ipc::SessionPermits(permits)},
                     m);
}

base::Status IpcServer::on(Gate& gate, const ipc::SessionResumed& m) {
  // It skips the login: believed only from a gate that has just found its way to a new warden.
  if (base::monotonic_now() - gate.since > limits_.resume_window) {
    return base::fail(base::Errc::kDenied, "long after the link was made");
  }
  ipc::PermitLimits permits;
  permits.max_auth_attempts = kMaxAuthRequests;
  permits.max_processes = kMaxProcesses;
  permits.max_channels = limits_.max_channels;
  const std::string user = m.authenticated ? m.user : std::string();
  const base::Status added = add_session(gate,
                                         Session{m.session,
                                                 0,
                                                 {},
                                                 m.source_ip,
                                                 {},
                                                 m.source_port,
                                                 0,
                                                 {},
                                                 user,
                                                 {},
                                                 true,
                                                 0,
                                                 ipc::SessionPermits(permits)},
                                         m);
  if (!added) return added;
  for (const std::uint32_t channel : m.channels) processes_.adopt(m.session, channel);
  if (m.authenticated) parts_.pool.resume(claimant(*sessions_.find(m.session)));
  return {};
}

base::Status IpcServer::on(Session& session, const ipc::Sign& m) {
  auto signature = parts_.keys.sign(m.key, m.algorithm, m.hash);
  if (!signature && signature.error().code == base::Errc::kDenied) {
    return tl::unexpected(signature.error());
  }
  ipc::Signed out{m.session, m.request, {}};
  if (signature) {
    out.signatures.push_back(std::move(*signature));
  } else {
    parts_.log.error("sign: {}", signature.error().context);
  }
  send(session.gate, out);
  return {};
}

base::Status IpcServer::on(Session& session, const ipc::Prove& m) {
  ipc::Signed out{m.session, m.request, {}};
  if (m.keys.size() <= kMaxProofs) {
    auto proofs = parts_.keys.prove(m.session_identifier, m.keys);
    if (!proofs && proofs.error().code == base::Errc::kDenied) {
      return tl::unexpected(proofs.error());
    }
    if (proofs) out.signatures = std::move(*proofs);
  }
  send(session.gate, out);
  return {};
}

base::Status IpcServer::on(Session& session, const ipc::Authenticate& m) {
  // `none` as the first request is free in sshd, hence the one more.
  if (session.refused_logins > limits_.max_auth_tries) {
    decided(session, m, {false, "attempts", false});
  } else if (parts_.accounts.concern(session.case_id, m)) {
    tasks_.spawn("ask account", ask_account(session.id, m));
  } else {
    ask_policy(session, m);
  }
  return {};
}

// The case's machine has the first word: what was changed in there counts.
net::Task<void> IpcServer::ask_account(ipc::SessionId id, ipc::Authenticate login) {
  const Session* before = sessions_.find(id);
  if (before == nullptr) co_return;
  const auto answer = co_await parts_.accounts.ask(before->case_id, login, before->source_ip);
  Session* session = sessions_.find(id);
  if (session == nullptr) co_return;
  const bool key = login.method == "publickey";
  if (answer == sandbox::AccountAnswer::kAccepted) {
    decided(*session, login, {true, key ? "authorized_keys" : "account", false});
  } else if (answer == sandbox::AccountAnswer::kRefused && !key) {
    decided(*session, login, {false, "account", false});
  } else {
    ask_policy(*session, login);
  }
}

void IpcServer::ask_policy(Session& session, const ipc::Authenticate& m) {
  const LoginRequest request{
      m.user, m.method, m.secret, m.key_proven, session.source_ip, m.key_type, m.key_fingerprint};
  auto decision = parts_.policy.decide(session.case_id, request, base::monotonic_now());
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
  }
  send(session.gate,
       ipc::AuthDecision{m.session, m.request, decision.accepted, decision.decided_by});
}

base::Status IpcServer::on(Session& session, const ipc::OpenProcess& m) {
  sandbox::ProcessSpec spec = to_spec(m);
  spec.user = session.user;
  spec.password_hash = session.password_hash;
  // sshd's own; unknown for a session that an earlier warden took in.
  spec.env.emplace_back("SSH_CLIENT", fmt::format("{} {} {}", session.source_ip,
                                                  session.source_port, session.local_port));
  if (!session.local_ip.empty()) {
    spec.env.emplace_back("SSH_CONNECTION",
                          fmt::format("{} {} {} {}", session.source_ip, session.source_port,
                                      session.local_ip, session.local_port));
  }
  processes_.open(claimant(session), m.channel, std::move(spec));
  return {};
}

base::Status IpcServer::on(Session&, const ipc::ResizeProcess& m) {
  processes_.resize(m);
  return {};
}

base::Status IpcServer::on(Session&, const ipc::SignalProcess& m) {
  if (const auto number = signal_number(m.name)) processes_.signal(m.session, m.channel, *number);
  return {};
}

base::Status IpcServer::on(Session&, const ipc::CloseProcess& m) {
  processes_.close(m.session, m.channel);
  return {};
}

base::Status IpcServer::on(Session& session, const ipc::RecordingNamed& m) {
  parts_.pool.add_recording(session.case_id, m.path);
  return {};
}

base::Status IpcServer::on(Session&, const ipc::SessionClosed& m) {
  end_session(m.session);
  return {};
}

}  // namespace sandtrap::warden
